"""The arithmetic of the emulated link, on times that are made up."""

from __future__ import annotations

import pytest

from tests.faults.impairment import Impairment, Spell
from tests.faults.line import Line

PACKET = bytes(100)


def line_of(impairment: Impairment, *, seed: int = 1, start_s: float = 0.0, end_s: float = 1e6) -> Line:
    return Line([Spell(start_s, end_s, impairment)], seed=seed)


def arrivals(line: Line, packets: list[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
    """When each packet arrives, looked at exactly when it does."""
    for at, packet in packets:
        line.put(at, packet)
    found = []
    while (due := line.next_at) is not None:
        found += [(due, packet) for packet in line.take(due)]
    return found


def numbered(count: int, every_s: float) -> list[tuple[float, bytes]]:
    return [(number * every_s, number.to_bytes(2, "big")) for number in range(count)]


def test_a_clear_line_passes_everything_at_once_and_in_order() -> None:
    sent = numbered(50, 0.01)
    assert arrivals(Line([], seed=1), sent) == sent


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.2])
def test_the_share_of_lost_packets_is_the_one_asked_for(loss: float) -> None:
    line, count = line_of(Impairment(loss=loss)), 20_000
    assert len(arrivals(line, [(0.01 * number, PACKET) for number in range(count)])) + line.lost == count
    assert line.lost / count == pytest.approx(loss, rel=0.15)


def test_a_delay_without_jitter_is_exact_and_keeps_the_order() -> None:
    sent = numbered(50, 0.01)
    got = arrivals(line_of(Impairment(delay_ms=100)), sent)
    assert [packet for _, packet in got] == [packet for _, packet in sent]
    assert [at for at, _ in got] == pytest.approx([at + 0.1 for at, _ in sent])


def test_jitter_spreads_the_delay_over_its_whole_range_and_lets_packets_overtake() -> None:
    sent = numbered(2000, 0.01)
    sent_at = {packet: at for at, packet in sent}
    got = arrivals(line_of(Impairment(delay_ms=100, jitter_ms=50)), sent)
    delays = [at - sent_at[packet] for at, packet in got]
    assert 0.05 <= min(delays) < 0.06
    assert 0.14 < max(delays) <= 0.15
    assert [packet for _, packet in got] != [packet for _, packet in sent]


def test_packets_leave_a_slow_line_one_after_the_other() -> None:
    got = arrivals(line_of(Impairment(rate_kbps=8)), [(0.0, PACKET)] * 3)
    assert [at for at, _ in got] == pytest.approx([0.1, 0.2, 0.3])


def test_a_slow_line_that_was_idle_owes_nothing() -> None:
    got = arrivals(line_of(Impairment(rate_kbps=8)), [(0.0, PACKET), (5.0, PACKET)])
    assert [at for at, _ in got] == pytest.approx([0.1, 5.1])


def test_what_does_not_fit_into_the_queue_of_a_slow_line_is_lost() -> None:
    line = line_of(Impairment(rate_kbps=8, queue_bytes=250))
    assert len(arrivals(line, [(0.0, PACKET)] * 5)) == 2
    assert line.lost == 3
    assert (line.passed, line.passed_bytes) == (2, 2 * len(PACKET))


def test_nothing_passes_in_the_dark_and_everything_before_and_after() -> None:
    line = line_of(Impairment(dark=True), start_s=2.0, end_s=4.0)
    got = arrivals(line, [(at, PACKET) for at in (1.9, 2.0, 3.9, 4.0)])
    assert [at for at, _ in got] == [1.9, 4.0]


def test_packets_that_are_not_due_yet_stay() -> None:
    line = line_of(Impairment(delay_ms=100))
    line.put(0.0, PACKET)
    assert line.take(0.099) == []
    assert line.take(0.101) == [PACKET]
    assert (line.passed, line.next_at) == (1, None)


def test_equal_seeds_behave_equally_and_others_do_not() -> None:
    bad = Impairment(loss=0.2, delay_ms=100, jitter_ms=50)
    first, second, other = (arrivals(line_of(bad, seed=seed), numbered(200, 0.01)) for seed in (7, 7, 8))
    assert first == second != other


@pytest.mark.parametrize(
    "wrong",
    [{"loss": 1.5}, {"loss": -0.1}, {"delay_ms": 10, "jitter_ms": 20}, {"rate_kbps": 0}],
)
def test_an_impairment_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Impairment(**wrong)  # type: ignore[arg-type]


def test_a_spell_ends_after_it_starts() -> None:
    with pytest.raises(ValueError, match="spell"):
        Spell(2.0, 2.0, Impairment())
