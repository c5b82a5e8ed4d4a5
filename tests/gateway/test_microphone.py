from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np
import pytest

from gateway.errors import MicrophoneError
from gateway.sources import AudioBlock, BlockRing, MicSource
from gateway.sources.microphone import OnBlock, open_portaudio

RATE = 16000


class FakeStream:
    """A sound card that delivers what it is told to."""

    def __init__(self, on_block: OnBlock, samplerate: float = RATE) -> None:
        self.on_block = on_block
        self.samplerate = samplerate
        self.started = 0
        self.closed = 0

    def start(self) -> None:
        self.started += 1

    def close(self) -> None:
        self.closed += 1


class FakeCard:
    """Opens FakeStreams; `missing` times it refuses first. A block is delivered as soon as a stream is opened."""

    def __init__(self, *, rate: float = RATE, missing: int = 0) -> None:
        self.rate = rate
        self.missing = missing
        self.streams: list[FakeStream] = []

    def open(self, device: str | int | None, on_block: OnBlock) -> FakeStream:
        if self.missing:
            self.missing -= 1
            raise MicrophoneError("Cannot open the default microphone: it is not there.")
        stream = FakeStream(on_block, self.rate)
        self.streams.append(stream)
        return stream


def filled(samples: int, value: float = 0.5) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.full(samples, value, dtype=np.float32)


def take(ring: BlockRing) -> AudioBlock:
    block = ring.take(0.0)
    assert block is not None
    return block


def test_a_full_ring_drops_its_oldest_and_tells_the_next_block() -> None:
    ring = BlockRing(300)
    for number in range(5):
        ring.put(filled(100, number), float(number))
    first = take(ring)
    assert first.samples[0] == 2.0
    assert first.captured_at == 2.0
    assert first.lost_samples == 200
    assert take(ring).lost_samples == 0
    assert ring.overflows == 2


def test_what_the_card_dropped_counts_as_well() -> None:
    ring = BlockRing(300)
    ring.put(filled(100), 1.0, lost_before=50)
    assert take(ring).lost_samples == 50
    assert ring.overflows == 1


def test_an_empty_ring_gives_nothing_after_the_timeout() -> None:
    assert BlockRing(10).take(0.001) is None


def test_a_ring_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        BlockRing(0)


def test_blocks_carry_the_time_of_their_first_sample(clock: Any) -> None:
    card = FakeCard()
    stop = threading.Event()
    with MicSource(sample_rate=RATE, clock=clock, open_stream=card.open) as source:
        card.streams[0].on_block(filled(320), 0.03, False)
        block = next(iter(source.blocks(stop)))
    assert block.captured_at == pytest.approx(clock() - 0.03)
    assert card.streams[0].started == 1
    assert card.streams[0].closed == 1


def test_a_card_at_its_own_rate_is_resampled(clock: Any) -> None:
    card = FakeCard(rate=48000)
    samples = 0
    with MicSource(sample_rate=RATE, clock=clock, open_stream=card.open) as source:
        blocks = source.blocks(threading.Event())
        for _ in range(50):
            card.streams[0].on_block(filled(960), 0.0, False)
            samples += len(next(blocks).samples)
    assert samples == pytest.approx(16000, abs=640)


def test_an_overflow_is_counted_and_moves_time_on(clock: Any) -> None:
    card = FakeCard()
    with MicSource(sample_rate=RATE, clock=clock, open_stream=card.open) as source:
        card.streams[0].on_block(filled(320), 0.0, True)
        assert next(iter(source.blocks(threading.Event()))).lost_samples == 320
        assert source.overflows == 1


def test_a_card_that_goes_silent_is_an_error_without_wait(clock: Any) -> None:
    card = FakeCard()

    def later() -> float:
        clock.now += 1.5
        return float(clock.now)

    with (
        MicSource(sample_rate=RATE, clock=later, open_stream=card.open) as source,
        pytest.raises(MicrophoneError, match="went silent"),
    ):
        next(iter(source.blocks(threading.Event())))


def test_a_card_that_went_away_is_opened_again_with_wait(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sources.microphone._POLL_S", 0.001)
    card = FakeCard()
    stop = threading.Event()

    def later() -> float:
        clock.now += 0.9
        return float(clock.now)

    with MicSource(sample_rate=RATE, wait=True, clock=later, open_stream=card.open) as source:
        block = next(iter(source.blocks(stop)))
        assert block.lost_samples > 2 * RATE
        assert len(card.streams) == 2
        assert card.streams[0].closed == 1


def test_a_missing_card_is_refused_at_once_without_wait() -> None:
    with pytest.raises(MicrophoneError, match="Cannot open"):
        MicSource(sample_rate=RATE, open_stream=FakeCard(missing=1).open).__enter__()


def test_a_missing_card_is_waited_for_and_a_stop_is_heard(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sources.microphone._RETRY_S", 0.001)
    card = FakeCard(missing=3)
    stop = threading.Event()
    with MicSource(sample_rate=RATE, wait=True, clock=clock, open_stream=card.open) as source:
        assert next(iter(source.blocks(stop))).samples.size == 0
        assert len(card.streams) == 1
        stop.set()
    with MicSource(sample_rate=RATE, wait=True, clock=clock, open_stream=FakeCard(missing=99).open) as source:
        assert list(source.blocks(stop)) == []


def test_a_machine_without_portaudio_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoPortAudio:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoPortAudio(), *sys.meta_path])
    with pytest.raises(MicrophoneError, match="apt install libportaudio2"):
        open_portaudio(None, lambda samples, delay_s, overflowed: None)
