"""A tone or silence through a sink, as the player plays it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from edge_player.errors import SinkError
from edge_player.render.ring import PcmRing
from edge_player.tone import make_tone, play_through
from protocol.service import WatchedPart


class FakeCard:
    """A sink that takes a block whenever somebody sleeps."""

    sample_rate = 8000
    lead_s = 0.06
    latency_s = 0.25
    description = "fake card"
    parts: Sequence[WatchedPart] = ()

    def __init__(self, *, block: int = 400, failure: Exception | None = None, lost: int = 0) -> None:
        self._block = block
        self.failure = failure
        self.counters: Mapping[str, int] = {"sink_lost": lost}
        self.heard: list[np.ndarray] = []
        self.now = 0.0
        self.stopped_at: float | None = None
        self._ring: PcmRing | None = None

    def start(self, ring: PcmRing) -> None:
        self._ring = ring

    def attach(self, ring: PcmRing, sample_rate: int) -> None:
        self._ring = ring

    def stop(self) -> None:
        self.stopped_at = self.now

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        assert self._ring is not None
        out = np.zeros(self._block, dtype=np.float32)
        self.heard.append(out[: self._ring.read_into(out)])


def play(card: FakeCard, samples: np.ndarray) -> float:
    return play_through(card, samples.astype(np.float32), clock=card.clock, sleep=card.sleep)


def test_a_tone_is_440_hz_at_minus_12_dbfs_and_does_not_click() -> None:
    tone = make_tone(48000)
    assert len(tone) == 48000
    spectrum = np.abs(np.fft.rfft(tone))
    assert int(np.argmax(spectrum)) == 440
    assert float(np.abs(tone).max()) == pytest.approx(0.25, abs=0.001)
    assert float(np.abs(np.diff(tone)).max()) < 0.02
    assert abs(float(tone[0])) < 1e-6
    assert abs(float(tone[-1])) < 1e-3


def test_all_of_it_is_played_and_the_card_s_own_delay_waited_for() -> None:
    card = FakeCard()
    tone = make_tone(card.sample_rate)
    assert play(card, tone) == 0.25
    assert np.array_equal(np.concatenate(card.heard)[: len(tone)], tone)
    assert card.stopped_at == pytest.approx(0.01 * 20 + 0.25)


def test_a_card_that_takes_nothing_is_said_and_closed() -> None:
    card = FakeCard(block=0)
    with pytest.raises(SinkError, match="fake card was opened and takes no sound"):
        play(card, np.ones(800))
    assert card.stopped_at == pytest.approx(3.1, abs=0.02)


def test_a_card_that_is_lost_meanwhile_is_said_and_closed() -> None:
    card = FakeCard(lost=1)
    with pytest.raises(SinkError, match="takes no sound"):
        play(card, np.ones(800))
    assert card.stopped_at is not None


def test_a_sink_that_fails_says_why() -> None:
    card = FakeCard(failure=OSError("no room"))
    with pytest.raises(SinkError, match="fake card failed: no room"):
        play(card, np.ones(800))


def test_a_card_that_takes_its_time_to_begin_still_plays_all_of_it() -> None:
    class Slow(FakeCard):
        def sleep(self, seconds: float) -> None:
            asked = self.counters["sink_callbacks"] + 1
            self.counters = {"sink_callbacks": asked}
            if asked <= 10:
                assert self._ring is not None
                assert not self._ring.level, "it would have gone by unheard"
            super().sleep(seconds)

    card = Slow()
    card.counters = {"sink_callbacks": 0}
    play(card, np.ones(800))
    assert np.concatenate(card.heard).tolist() == [1.0] * 800


def test_a_tone_that_went_by_unheard_was_not_played() -> None:
    card = FakeCard()
    card.counters = {"sink_unheard_ms": 80}
    with pytest.raises(SinkError, match="takes no sound"):
        play(card, np.ones(800))
