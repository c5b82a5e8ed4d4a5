"""When a broker that sends nothing is asked again."""

from __future__ import annotations

from edge_player.intake.silence import LONGEST_WAIT_S, SilenceStep, SilenceWatch

LIMIT_S = 15.0


class Silence:
    """A watch looked at four times a second, and what it asked for, by second since the last packet."""

    def __init__(self) -> None:
        self.watch = SilenceWatch()
        self.now = 1000.0
        self.steps: list[tuple[float, SilenceStep]] = []
        self.watch.heard(self.now)
        self._from = self.now

    def last(self, seconds: float) -> list[tuple[float, SilenceStep]]:
        self.steps.clear()
        for _ in range(round(seconds * 4)):
            self.now += 0.25
            step = self.watch.look(self.now, limit_s=LIMIT_S)
            if step is not SilenceStep.NOTHING:
                self.steps.append((self.now - self._from, step))
        return list(self.steps)


def test_one_limit_of_silence_subscribes_again_and_one_more_reconnects() -> None:
    silence = Silence()
    assert silence.last(14.75) == []
    assert silence.last(15.5) == [(15.0, SilenceStep.RESUBSCRIBE), (30.0, SilenceStep.RECONNECT)]


def test_the_same_again_waits_twice_as_long_each_time() -> None:
    steps = Silence().last(215.0)
    assert [at for at, _ in steps] == [15.0, 30.0, 60.0, 90.0, 150.0, 210.0]
    assert [step for _, step in steps] == 3 * [SilenceStep.RESUBSCRIBE, SilenceStep.RECONNECT]


def test_a_gateway_that_is_silent_for_a_day_is_not_hammered() -> None:
    steps = Silence().last(86400.0)
    reconnects = [at for at, step in steps if step is SilenceStep.RECONNECT]
    assert 20 < len(reconnects) < 35
    assert reconnects[-1] - reconnects[-2] == 2 * LONGEST_WAIT_S


def test_a_packet_ends_the_silence_and_the_next_begins_afresh() -> None:
    silence = Silence()
    silence.last(100.0)
    assert silence.watch.heard(silence.now) == 100.0
    assert silence.last(14.75) == []
    assert silence.last(0.25) == [(115.0, SilenceStep.RESUBSCRIBE)]


def test_packets_that_come_as_they_should_end_no_silence() -> None:
    silence = Silence()
    silence.last(10.0)
    assert silence.watch.heard(silence.now) is None


def test_what_is_not_expected_is_not_missed() -> None:
    silence = Silence()
    silence.last(14.0)
    silence.watch.excuse()
    assert silence.last(14.75) == []
    assert len(silence.last(0.5)) == 1


def test_a_connection_that_was_away_is_given_its_time_and_what_was_done_is_remembered() -> None:
    silence = Silence()
    silence.last(31.0)
    silence.watch.interrupt()  # the reconnect of ours
    assert silence.last(29.75) == []
    assert silence.last(0.5)[0][1] is SilenceStep.RESUBSCRIBE


def test_a_stream_that_never_sent_anything_is_missed_too() -> None:
    watch = SilenceWatch()
    assert watch.look(50.0, limit_s=3.0) is SilenceStep.NOTHING
    assert watch.look(53.0, limit_s=3.0) is SilenceStep.RESUBSCRIBE
