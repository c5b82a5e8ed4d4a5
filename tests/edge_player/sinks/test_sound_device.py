"""The sound card: asked, lost, back, back at another rate. On a clock that stands still; no thread, no hardware."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from codec.audio.cards import CardOptions
from codec.errors import SoundCardError
from edge_player.errors import SinkError
from edge_player.render.ring import PcmRing
from edge_player.sinks.sound_device import BLOCK_S, SoundDeviceSink
from tests.edge_player.sinks.conftest import FakeCards, FakeCardStream

Clock = Any
MISSING = SoundCardError("no card is there", reason="missing")
BLOCK = round(48000 * BLOCK_S)
AHEAD_BLOCKS = 3
"""One on its way, and the 40 ms that a card takes in advance when it starts: this one does not."""


class Bench:
    """A sink whose threads are turned by hand: each turn is 20 ms, one block of a healthy card."""

    def __init__(self, cards: FakeCards, clock: Clock, options: CardOptions | None = None) -> None:
        self.cards = cards
        self.clock = clock
        self.sink = SoundDeviceSink(options, clock=clock, open_card=cards.open, refresh=cards.refresh)
        self.sink._repeat = lambda turn: None  # type: ignore[method-assign]  # its threads end at once
        self.ring = PcmRing(48000)
        self.ring.active = True
        self.sink.start(self.ring)

    @property
    def stream(self) -> FakeCardStream:
        return self.cards.streams[-1]

    def turns(self, count: int) -> float:
        """Returns the mean of what was heard."""
        heard = []
        for _ in range(count):
            self.clock.advance(BLOCK_S)
            self.ring.write(np.full(min(BLOCK, self.ring.free), 0.5, dtype=np.float32))
            if self.stream.active:
                heard.append(self.stream.ask(round(self.stream.sample_rate * BLOCK_S)).mean())
            self.sink.look()
            self.sink.stand_in()
        return float(np.mean(heard)) if heard else 0.0

    def counters(self, *names: str) -> list[int]:
        return [self.sink.counters[f"sink_{name}"] for name in names]


@pytest.fixture
def bench(cards: FakeCards, clock: Clock) -> Bench:
    return Bench(cards, clock)


def test_the_card_is_opened_to_know_its_rate_and_plays_from_the_start(cards: FakeCards, clock: Clock) -> None:
    options = CardOptions("usb", sample_rate=44100, channels=(3,), exclusive=True)
    sink = SoundDeviceSink(options, clock=clock, open_card=cards.open, refresh=cards.refresh)
    assert cards.options == [options]
    assert not cards.streams[0].started
    assert (sink.sample_rate, sink.description) == (48000, "USB Speaker at 48000 Hz")
    sink.stop()
    assert cards.streams[0].closed == 1


def test_a_block_is_what_the_ring_has_and_then_silence(bench: Bench) -> None:
    bench.ring.write(np.full(3, 0.5, dtype=np.float32))
    assert bench.stream.ask(5, underflowed=True).tolist() == [0.5, 0.5, 0.5, 0.0, 0.0]
    assert bench.ring.underruns == 1
    assert bench.counters("callbacks", "underflows") == [1, 1]
    assert bench.sink.latency_s == 0.04


def test_while_it_plays_nothing_is_looked_for(bench: Bench) -> None:
    assert bench.turns(500) == 0.5
    assert bench.counters("lost", "reopened", "unheard_ms") == [0, 0, 0]
    assert bench.cards.refreshes == 0


def test_a_card_that_vanished_is_found_again_and_plays_what_is_due_then(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    bench.turns(50)
    bench.cards.error = MISSING
    bench.stream.active = False
    bench.turns(500)
    assert bench.counters("lost", "reopened") == [1, 0]
    assert bench.cards.streams[0].closed == 1
    bench.cards.error = None
    bench.turns(300)
    assert bench.counters("lost", "reopened", "rate_changes") == [1, 1, 0]
    # Ten seconds and the wait for the next attempt went by unheard; what is in the ring now is of now.
    assert 10_000 <= bench.counters("unheard_ms")[0] <= 13_100
    assert bench.ring.level <= AHEAD_BLOCKS * BLOCK
    assert bench.turns(10) == 0.5
    assert [record.message for record in caplog.records] == [
        "the sound card USB Speaker has gone; looking for it again",
        "playing again on USB Speaker at 48000 Hz",
    ]


def test_portaudio_is_asked_again_which_cards_there_are_before_each_attempt(bench: Bench) -> None:
    bench.cards.error = MISSING
    bench.stream.active = False
    bench.turns(500)
    assert bench.cards.refreshes == len(bench.cards.options) - 1
    assert 3 <= bench.cards.refreshes <= 8


def test_a_card_that_hangs_is_opened_anew_and_that_is_said_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.turns(50)
    bench.cards.hangs = bench.stream.hangs = True
    bench.turns(2000)
    assert len(bench.cards.streams) >= 4
    assert bench.counters("lost", "reopened") == [1, 0]
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "the sound card USB Speaker has gone; looking for it again"
    ]


def test_a_card_back_at_another_rate_is_silent_until_a_ring_of_that_rate_is_attached(bench: Bench) -> None:
    bench.turns(50)
    bench.cards.sample_rate = 44100
    bench.stream.active = False
    assert bench.turns(100) == 0.0, "samples of the old rate were heard"
    assert bench.ring.level <= AHEAD_BLOCKS * BLOCK, "time stood still until there was a ring of the new rate"
    assert bench.sink.sample_rate == 44100
    assert bench.counters("reopened", "rate_changes") == [1, 1]
    ring = PcmRing(44100)
    ring.write(np.full(2000, 0.25, dtype=np.float32))
    bench.sink.attach(ring, 44100)
    assert (bench.stream.ask(882) == 0.25).all()
    assert bench.sink.description == "USB Speaker at 44100 Hz"


def test_another_default_card_is_said(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.turns(50)
    bench.cards.name = "Headset"
    bench.stream.active = False
    bench.turns(100)
    assert "the default sound card is now Headset, it was USB Speaker" in caplog.text
    assert "playing again on Headset at 48000 Hz" in caplog.text


def test_a_card_that_was_chosen_is_no_default(cards: FakeCards, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(cards, clock, CardOptions("usb"))
    bench.turns(50)
    cards.name = "USB Speaker (hw:2,0)"
    bench.stream.active = False
    bench.turns(100)
    assert "default" not in caplog.text


def test_a_card_that_does_not_start_again_is_closed_and_tried_later(bench: Bench) -> None:
    bench.turns(50)
    bench.cards.start_error = MISSING
    bench.stream.active = False
    bench.turns(100)
    assert all(stream.closed for stream in bench.cards.streams)
    assert len(bench.cards.streams) > 1
    bench.cards.start_error = None
    bench.turns(200)
    assert bench.counters("reopened") == [1]


@pytest.mark.parametrize(
    ("reason", "retryable"), [("missing", True), ("busy", True), ("format", False), ("library", False)]
)
def test_a_card_that_is_refused_at_the_start_is_a_sink_error(
    cards: FakeCards, clock: Clock, reason: Any, retryable: bool
) -> None:
    cards.error = SoundCardError("it is refused", reason=reason)
    with pytest.raises(SinkError, match="it is refused") as caught:
        SoundDeviceSink(clock=clock, open_card=cards.open)
    assert caught.value.retryable is retryable


def test_a_start_that_failed_may_be_tried_again_even_at_another_rate(cards: FakeCards, clock: Clock) -> None:
    cards.start_error = SoundCardError("in use", reason="busy")
    sink = SoundDeviceSink(clock=clock, open_card=cards.open, refresh=cards.refresh)
    sink._repeat = lambda turn: None  # type: ignore[method-assign]
    ring = PcmRing(100)
    ring.write(np.full(100, 0.5, dtype=np.float32))
    for _ in range(2):
        with pytest.raises(SinkError, match="in use"):
            sink.start(ring)
    assert all(stream.closed for stream in cards.streams)
    cards.start_error, cards.sample_rate = None, 44100
    sink.start(ring)
    assert sink.sample_rate == 44100
    assert not cards.streams[-1].ask(10).any(), "the ring is still of the first rate"
    sink.stop()


def test_after_stop_the_card_is_closed_and_nothing_is_opened(bench: Bench) -> None:
    bench.sink.stop()
    bench.sink.stop()
    assert bench.stream.closed == 1
    assert bench.sink.latency_s == 0.0


def test_the_threads_of_a_sink_find_the_card_again(
    cards: FakeCards, monkeypatch: pytest.MonkeyPatch, await_true: Callable[[Callable[[], bool]], None]
) -> None:
    monkeypatch.setattr("edge_player.sinks.card_watch.RETRY_S", (0.001, 0.002))
    sink = SoundDeviceSink(open_card=cards.open, refresh=cards.refresh)
    sink.start(PcmRing(100))
    cards.streams[0].active = False
    await_true(lambda: len(cards.streams) == 2 and cards.streams[1].started == 1)
    sink.stop()
    assert [stream.closed for stream in cards.streams] == [1, 1]


def test_a_thread_that_ends_by_a_bug_is_the_failure_of_the_sink(
    cards: FakeCards, monkeypatch: pytest.MonkeyPatch, await_true: Callable[[Callable[[], bool]], None]
) -> None:
    def fail(sink: SoundDeviceSink) -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr(SoundDeviceSink, "stand_in", fail)
    sink = SoundDeviceSink(open_card=cards.open, refresh=cards.refresh)
    sink.start(PcmRing(100))
    await_true(lambda: sink.failure is not None)
    assert isinstance(sink.failure, AssertionError)
    sink.stop()


def test_both_threads_show_that_they_get_round(bench: Bench) -> None:
    before = [part.turns() for part in bench.sink.parts]
    bench.turns(1)
    assert [part.turns() for part in bench.sink.parts] == [(turns or 0) + 1 for turns in before]
