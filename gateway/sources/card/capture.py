"""One opened sound card: blocks from its thread, mono at the codec's rate with their times for the encoder worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from codec.audio.cards import CardOptions, CardStream, InputCallback, open_input
from gateway.conditioning import ClippingDetector
from gateway.sources.base import AudioBlock
from gateway.sources.card.ring import BlockRing, CardBlock
from gateway.sources.card.timed_resampler import TimedResampler

__all__ = ["Capture", "OpenCard"]

RING_S = 2.0
"""What the encoder may fall behind before the oldest audio goes."""

_BLOCK_S = 0.02
_MAX_OVERFLOW_S = 1.0  # what one overflow may claim to have lost: times of a sound server may jump


class OpenCard(Protocol):
    """`codec.audio.cards.open_input`, or what stands in for it."""

    def __call__(self, options: CardOptions, callback: InputCallback, *, block_s: float) -> CardStream: ...


class Capture:
    """From opening a card to losing it; another opening is another Capture. Raises SoundCardError (exit 74).

    The PortAudio thread only appends to a ring of 2 s; a full ring drops the oldest and counts `overflows`. Mixing
    (the mean of the open channels), clipping and resampling are the worker's.
    """

    def __init__(
        self,
        options: CardOptions,
        *,
        sample_rate: int,
        clock: Callable[[], float],
        open_card: OpenCard = open_input,
    ) -> None:
        self._clock = clock
        self._expected_at: float | None = None  # PortAudio thread: when the next sample is due
        self._detector = ClippingDetector()
        self._stream = open_card(options, self._on_block, block_s=_BLOCK_S)
        self.card = self._stream.card
        self.sample_rate = self._stream.sample_rate
        self._resampler = TimedResampler(self.sample_rate, sample_rate)
        self._ring = BlockRing(int(RING_S * self.sample_rate))

    @property
    def overflows(self) -> int:
        """Times that audio was dropped, by the card or by the ring."""
        return self._ring.overflows

    @property
    def active(self) -> bool:
        """False once the card has vanished."""
        return self._stream.active

    @property
    def latency_s(self) -> float:
        """From the air to the callback."""
        return self._stream.latency_s

    def start(self) -> None:
        """Blocks begin to come. Raises SoundCardError."""
        self._stream.start()

    def close(self) -> None:
        """No block comes any more. Never raises."""
        self._stream.close()

    def take(self, timeout_s: float) -> list[AudioBlock]:
        """The next block at the codec's rate, after the tail of what came before a gap; nothing where none came."""
        block = self._ring.take(timeout_s)
        return [] if block is None else list(self._convert(block))

    def flush(self) -> AudioBlock:
        """What the resampler holds: the last sound before the card went."""
        return self._resampler.flush()

    def _convert(self, block: CardBlock) -> Iterator[AudioBlock]:
        if block.lost_samples:
            yield self._resampler.flush()
            self._detector.clear()
        clipped = self._detector.count(block.samples)
        mono: NDArray[np.float32] = block.samples.mean(axis=1, dtype=np.float32)
        lost = round(block.lost_samples * self._resampler.out_rate / self.sample_rate)
        converted = self._resampler.process(mono, block.captured_at)
        yield dataclasses.replace(converted, lost_samples=lost, clipped_samples=clipped)

    def _on_block(self, samples: NDArray[np.float32], age_s: float, overflowed: bool) -> None:
        """On the PortAudio thread. What the card dropped is not told in samples: the times say it, roughly."""
        captured_at = self._clock() - age_s
        lost = 0
        if overflowed:
            missing_s = 0.0 if self._expected_at is None else captured_at - self._expected_at
            lost = max(len(samples), int(min(missing_s, _MAX_OVERFLOW_S) * self.sample_rate))
        self._expected_at = captured_at + len(samples) / self.sample_rate
        self._ring.put(samples, captured_at, lost_before=lost)
