"""The seam between the codec and whoever runs it: what an encoder and a decoder look like, whatever engine is inside.

A session holds the streaming state of `batch_size` rows; feeding it frame by frame, or many frames at once, gives the
same result. It belongs to one thread at a time and lives as long as its `with` block.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from codec.spec import CodecSpec

Codes = NDArray[np.int64]
Samples = NDArray[np.float32]
RowMask = NDArray[np.bool_]
AnyIntegers = NDArray[np.integer[Any]]


class EncoderSession(Protocol):
    """Streaming state of an encoder."""

    @property
    def nonfinite_samples(self) -> int:
        """NaN, infinite or absurdly large samples replaced so far."""

    def encode(self, pcm: Samples, active: RowMask | None = None) -> Codes:
        """Samples [B, N·frame_size] (or [N·frame_size] when B is 1) to codes [B, K, N]."""

    def reset(self, mask: RowMask | None = None) -> None:
        """Start the rows in `mask` [B] (None: all) afresh at their next frame."""

    def clone(self) -> Self:
        """A session that stands where this one does; from here on each goes its own way."""


class DecoderSession(Protocol):
    """Streaming state of a decoder."""

    def decode(self, codes: AnyIntegers, active: RowMask | None = None) -> Samples:
        """Codes [B, K, N] (or [K, N] when B is 1) to samples [B, N·frame_size]."""

    def reset(self, mask: RowMask | None = None) -> None:
        """Start the rows in `mask` [B] (None: all) afresh at their next frame."""

    def clone(self) -> Self:
        """A session that stands where this one does; from here on each goes its own way."""


class Encoder(Protocol):
    """A loaded encoder: immutable weights, any number of sessions."""

    @property
    def spec(self) -> CodecSpec: ...

    def session(self, batch_size: int = 1) -> AbstractContextManager[EncoderSession]: ...


class Decoder(Protocol):
    """A loaded decoder: immutable weights, any number of sessions."""

    @property
    def spec(self) -> CodecSpec: ...

    def session(self, batch_size: int = 1) -> AbstractContextManager[DecoderSession]: ...
