"""Sample rate conversion of a stream."""

from __future__ import annotations

from typing import Literal

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from codec.errors import FrameSizeError

Quality = Literal["QQ", "LQ", "MQ", "HQ", "VHQ"]


class Resampler:
    """Mono float32 from one rate to another, in blocks of any size; the joins are inaudible and the length exact.

    The filter looks ahead: `process` returns less than it took until it has caught up, `flush` gives the rest. With
    equal rates the samples pass through unchanged. For one thread at a time.
    """

    def __init__(self, in_rate: int, out_rate: int, *, quality: Quality = "HQ") -> None:
        if in_rate < 1 or out_rate < 1:
            raise FrameSizeError(f"Sample rates are positive, not {in_rate} and {out_rate}")
        self.in_rate = in_rate
        self.out_rate = out_rate
        self._quality: Quality = quality
        self._stream = self._new_stream()

    def process(self, samples: ArrayLike) -> NDArray[np.float32]:
        """Take a block [T] at `in_rate`; return what is ready at `out_rate`, perhaps nothing."""
        block = np.ascontiguousarray(samples, dtype=np.float32)
        if block.ndim != 1:
            raise FrameSizeError(f"The resampler takes mono samples [T], not shape {list(block.shape)}")
        if self._stream is None:
            return block
        return self._chunk(self._stream, block, last=False)

    def flush(self) -> NDArray[np.float32]:
        """The tail that waited for look-ahead. The resampler is as new afterwards."""
        empty = np.zeros(0, dtype=np.float32)
        if self._stream is None:
            return empty
        tail = self._chunk(self._stream, empty, last=True)
        self.clear()
        return tail

    def clear(self) -> None:
        """Forget the past: what comes next does not follow what came before."""
        self._stream = self._new_stream()

    @property
    def delay_samples(self) -> float:
        """Samples at `out_rate` that are inside the filter and not yet returned."""
        return 0.0 if self._stream is None else float(self._stream.delay())

    def _new_stream(self) -> soxr.ResampleStream | None:
        if self.in_rate == self.out_rate:
            return None
        return soxr.ResampleStream(self.in_rate, self.out_rate, 1, dtype="float32", quality=self._quality)

    @staticmethod
    def _chunk(stream: soxr.ResampleStream, block: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
        resampled: NDArray[np.float32] = np.asarray(stream.resample_chunk(block, last=last), dtype=np.float32)
        return resampled
