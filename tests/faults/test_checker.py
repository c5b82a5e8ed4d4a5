"""Each broken promise is found, and one that was kept is not reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.checker import failures
from tests.faults.course import Sample
from tests.faults.evidence import EndEvidence, Evidence
from tests.faults.faults import Action, ProcessFault, Target, UnpluggedCard
from tests.faults.matrix import LONG_ROWS, ROWS, SHORT_ROWS, find_row
from tests.faults.rows import Row

ROW = Row("a-row", "wan", fault_s=5.0, heard_min=0.5)
SENT = {"frames_encoded": 250, "frames_published": 245, "frames_dropped": 5, "frames_silent": 0, "frames_gapped": 0}
GOT = {
    "frames_due": 250, "frames_played": 240, "frames_concealed": 3, "frames_skipped": 4, "frames_comfort": 3,
    "epochs": 1, "connects": 1, "latency_ms_max": 1800.0, "handler_errors": 0,
}  # fmt: skip
STEADY = [Sample(0.2 * number, round(2.5 * number)) for number in range(100)]
MIB = 2**20

Change = Callable[[Evidence], Evidence]


def good() -> Evidence:
    gateway = EndEvidence(0, dict(SENT), "fine\n", [90 * MIB, 92 * MIB])
    player = EndEvidence(0, dict(GOT), "fine\n", [70 * MIB, 71 * MIB], STEADY)
    return Evidence(5.0, 10.0, gateway, player, None, [8 * MIB, 9 * MIB], 246, 1, 0, 200)


def with_player(**changes: object) -> Change:
    return lambda found: replace(found, player=replace(found.player, **changes))  # type: ignore[arg-type]


def with_got(**changes: object) -> Change:
    return with_player(stats=GOT | changes)


def with_sent(**changes: object) -> Change:
    return lambda found: replace(found, gateway=replace(found.gateway, stats=SENT | changes))


def with_all(**changes: object) -> Change:
    return lambda found: replace(found, **changes)  # type: ignore[arg-type]


def test_a_run_that_kept_everything_has_no_failures() -> None:
    assert failures(ROW, good()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_player(code=1), "player: exit code 1"),
        (with_player(code=None), "player: exit code None"),
        (with_player(log="Traceback (most recent call last):"), "traceback"),
        (with_player(stats=None), "no final counters"),
        (with_got(handler_errors=1), "1 handler_errors"),
        (with_got(frames_comfort=4), "250 due, but"),
        (with_got(frames_due=249, frames_comfort=2), "249 due of 250 encoded"),
        (with_sent(frames_dropped=6), "250 encoded"),
        (with_all(seen_frames=244), "244 frames seen"),
        (with_all(seen_frames=251), "251 frames seen"),
        (with_all(seen_frames=241, repeater_dropped=10), "241 frames seen"),
        (with_got(epochs=2), "2 epochs of 1"),
        (with_all(foreign_frames=1), "another stream"),
        (with_all(own_frames=0), "nothing of the own stream"),
        (with_got(latency_ms_max=4001.0), "4001 ms old"),
        (with_player(samples=STEADY[:52]), "never"),
        (with_player(samples=[Sample(s.at, 0) for s in STEADY[:50]]), "heard"),
        (with_player(rss=[70 * MIB, 110 * MIB]), "player: memory grew by 40 MiB"),
        (with_all(broker_rss=[8 * MIB, 20 * MIB]), "broker: memory grew by 12 MiB"),
        (with_all(recorder=EndEvidence(0, None, "", []), recorder_frames=90), "recorder: exit code 0, expected 74"),
        (with_all(recorder=EndEvidence(74, None, "", []), recorder_frames=3), "3 frames are left"),
    ],
)
def test_a_broken_promise_is_found(change: Change, words: str) -> None:
    assert any(words in failure for failure in failures(ROW, change(good()))), failures(ROW, change(good()))


def test_what_a_repeater_kept_from_the_players_was_sent_all_the_same() -> None:
    assert failures(ROW, replace(good(), seen_frames=241, repeater_dropped=5)) == []


def test_a_row_that_may_lose_nothing_says_how_much_it_lost() -> None:
    assert failures(replace(ROW, lost_max=7), good()) == []
    assert any(
        "7 frames concealed or skipped, expected 6" in said for said in failures(replace(ROW, lost_max=6), good())
    )


def test_a_player_that_never_gave_up_a_stale_connection_is_found() -> None:
    assert any("connected 1 times, expected 2" in said for said in failures(replace(ROW, connects_min=2), good()))


def test_sound_is_back_on_a_card_when_the_card_says_so() -> None:
    row = replace(ROW, faults=(UnpluggedCard(5.0),))
    assert any("never" in said for said in failures(row, good()))
    assert failures(row, replace(good(), card_back_s=1.0)) == []


def test_a_player_beside_must_hear_everything() -> None:
    beside = replace(good().player, samples=[Sample(s.at, s.played if s.at < 6 else 75) for s in STEADY])
    assert any("player beside" in failure for failure in failures(ROW, replace(good(), beside=beside)))


def test_names_of_rows_are_unique_and_every_fault_is_over_when_recovery_is_watched() -> None:
    rows = (*ROWS, *LONG_ROWS, *SHORT_ROWS)
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert find_row(row.name) is row
        assert row.after_s > row.fresh_within_s / row.slack
        ends = [spell.end_s for spell in row.spells] + [fault.lasting_s for fault in row.faults]
        assert max(ends, default=row.fault_s) <= row.fault_s
        assert ends or row.mischief or row.clocks


@pytest.mark.parametrize(("action", "target"), [("kill", "player"), ("restart", "gateway"), ("restart", "player")])
def test_a_fault_that_the_nemesis_does_not_play_is_refused(action: Action, target: Target) -> None:
    with pytest.raises(ValueError, match="nemesis"):
        ProcessFault(action, target)
