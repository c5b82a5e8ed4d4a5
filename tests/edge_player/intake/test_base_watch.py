"""Upper tiers without a base."""

from __future__ import annotations

from edge_player.intake.base_watch import PATIENCE_S, BaseWatch


def watch(packet_s: float = 0.4) -> BaseWatch:
    base = BaseWatch()
    base.begin(packet_s=packet_s)
    return base


def test_a_base_that_never_comes_is_missing_once_upper_tiers_came_alone_for_long() -> None:
    base = watch()
    assert [base.upper_came(at) for at in (0.0, 1.0, PATIENCE_S - 0.1, PATIENCE_S, PATIENCE_S + 1.0)] == [
        False, False, False, True, False,
    ]  # fmt: skip
    assert base.missing


def test_each_packet_of_the_base_begins_the_patience_anew() -> None:
    base = watch()
    for at in range(0, 40, 2):
        base.upper_came(float(at))
        assert not base.base_came()
        assert not base.missing


def test_a_base_that_comes_after_all_is_no_longer_missing_and_may_be_again() -> None:
    base = watch()
    base.upper_came(0.0)
    assert base.upper_came(5.0)
    assert base.base_came()
    assert not base.missing
    assert not base.upper_came(6.0)
    assert base.upper_came(11.0)


def test_long_packets_are_waited_for_longer() -> None:
    base = watch(packet_s=2.0)
    base.upper_came(0.0)
    assert not base.upper_came(5.9)
    assert base.upper_came(6.0)


def test_another_epoch_begins_without_a_suspicion() -> None:
    base = watch()
    base.upper_came(0.0)
    base.begin(packet_s=0.4)
    assert not base.upper_came(4.5)
