from __future__ import annotations

from edge_player.buffer.loss_run import LossRun


def test_losses_may_be_taken_back_up_to_as_many_as_there_were() -> None:
    run = LossRun(lost=3)
    assert run.covers(3, heard=True)
    assert not run.covers(4, heard=True)
    assert not run.covers(1, heard=False)
    assert run.take_back(2) == (2, 0)
    assert run == LossRun(), "what is left of them did exist"


def test_what_a_standstill_passed_over_is_told_from_what_was_lost() -> None:
    run = LossRun(lost=2)
    run.pass_over(10)
    run.lost += 3
    assert run == LossRun(lost=3, passed=10, lost_before=2)
    assert run.covers(15, heard=True)
    assert run.covers(10, heard=False)
    for overshoot, expected in ((3, (3, 0)), (7, (3, 4)), (13, (3, 10)), (15, (5, 10))):
        assert LossRun(lost=3, passed=10, lost_before=2).take_back(overshoot) == expected


def test_a_frame_that_came_decides_what_lies_behind_it() -> None:
    run = LossRun(lost=1, passed=2, lost_before=3)
    run.forget()
    assert not run.covers(1, heard=True)
    assert run.covers(0, heard=False)
