"""Any source, with its sound conditioned, its clipping watched and its level measured on the way."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gateway.conditioning import ClippingDetector, ClippingWatch, Conditioning, LevelTracker
from gateway.config import ConditioningConfig
from gateway.sources.base import AudioBlock, AudioSource

__all__ = ["ConditionedSource"]

_PIECE_S = 0.05  # a file comes in long blocks; the level must move while they are played, not at once before


class ConditionedSource:
    """An AudioSource around another: same life, same pace, same sample count.

    With nothing set in `config` every sample passes as it is, and only the clipping and the level are looked at.
    What the limiter holds back (6 ms) comes out before a gap and at the end; capture times stay those of the samples.

    config: what to do to the sound. sample_rate: the codec's. level: what was sent, for whoever draws it.
    """

    def __init__(
        self,
        source: AudioSource,
        config: ConditioningConfig,
        *,
        sample_rate: int,
        level: LevelTracker | None = None,
    ) -> None:
        self._source = source
        self._sample_rate = sample_rate
        self._conditioning = Conditioning(config, sample_rate)
        self._detector = ClippingDetector()
        self._watch = ClippingWatch()
        self._level = level or LevelTracker()
        self._next_at: float | None = None  # capture time of the sample after the last one taken

    @property
    def live(self) -> bool:
        return self._source.live

    @property
    def description(self) -> str:
        return self._source.description

    @property
    def overflows(self) -> int:
        return self._source.overflows

    @property
    def counters(self) -> Mapping[str, int]:
        """The source's own, what clipped, the highest peak that was sent, and what the conditioning did."""
        return {
            **self._source.counters,
            "input_clipped_samples": self._watch.samples,
            "input_clipping_episodes": self._watch.episodes,
            "input_peak_dbfs": round(self._level.highest_dbfs),
            **self._conditioning.counters,
        }

    def __enter__(self) -> Self:
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)

    def blocks(self, stop: threading.Event) -> Iterator[AudioBlock]:
        """See AudioSource. Raises what the source raises."""
        for block in self._source.blocks(stop):
            if block.lost_samples:
                yield from self._rest()
                self._detector.clear()
            yield from self._condition(block)
        if not stop.is_set():
            yield from self._rest()

    def _condition(self, block: AudioBlock) -> Iterator[AudioBlock]:
        """A block in pieces of at most 50 ms; what is said about its beginning stays with the first."""
        size = max(1, int(_PIECE_S * self._sample_rate))
        samples = block.samples
        for begin in range(0, max(1, len(samples)), size):
            piece = samples[begin : begin + size]
            at = None if block.captured_at is None else block.captured_at + begin / self._sample_rate
            if block.clipped_samples is None:
                clipped = self._detector.count(piece)
            else:
                clipped = block.clipped_samples if begin == 0 else 0
            self._watch.see(clipped, len(piece) / self._sample_rate, source=self._source.description)
            held = self._conditioning.held
            out = self._conditioning.process(piece)
            self._next_at = None if at is None else at + len(piece) / self._sample_rate
            self._level.add(out, clipped=clipped > 0)
            yield dataclasses.replace(
                block,
                samples=out,
                captured_at=None if at is None else at - held / self._sample_rate,
                lost_samples=block.lost_samples if begin == 0 else 0,
                clipped_samples=clipped,
            )

    def _rest(self) -> Iterator[AudioBlock]:
        """What the conditioning holds back, with the time at which it was recorded."""
        out: NDArray[np.float32] = self._conditioning.flush()
        if len(out):
            at = None if self._next_at is None else self._next_at - len(out) / self._sample_rate
            self._level.add(out)
            yield AudioBlock(out, at)
