"""What every kind of token file gives and takes: the codes of a recording, in streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from codec.errors import CodesError, TokenFileError
from codec.session import AnyIntegers
from codec.spec import CodecSpec

FRAMES_PER_READ = 25
"""Frames a source gives at a time: the longest step an export promises."""

MAX_SAMPLES = 2**48
"""About a hundred years at 96 kHz: a bound for a field from outside."""


class TokenSource(Protocol):
    """The codes of one recording. Iterating gives codes [K, N], N at most 25; a context manager, read once.

    `spec` is None where the file does not say which codec made it; `num_samples` is None where nobody knows how long
    the recording was. Iterating raises TokenFileError or CodesError.
    """

    @property
    def path(self) -> Path:
        """The file it is in."""

    @property
    def spec(self) -> CodecSpec | None:
        """The codec that made the codes."""

    @property
    def layers(self) -> int:
        """Layers of each frame that are there."""

    @property
    def num_frames(self) -> int:
        """Frames of the recording."""

    @property
    def num_samples(self) -> int | None:
        """Samples of the recording, without padding."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[NDArray[np.integer[Any]]]: ...


class TokenSink(Protocol):
    """Where the codes of one recording go, frame by frame."""

    def write(self, codes: AnyIntegers) -> None:
        """Append frames: codes [K, N], K at least the layers that are kept. Raises CodesError, OutputFileError."""

    def finish(self, num_samples: int) -> int:
        """State the length of the recording, and keep it; returns the bytes it takes. Raises OutputFileError."""

    def discard(self) -> None:
        """Leave nothing behind. Never raises, and does nothing after `finish`."""


def frames_needed(num_samples: int, spec: CodecSpec) -> int:
    """Frames that hold `num_samples` samples and the codec's delay."""
    return -(-(num_samples + spec.delay_samples) // spec.frame_size)


def checked_length(value: object, num_frames: int, spec: CodecSpec | None, path: Path) -> int | None:
    """`value` where it is a length that `num_frames` frames can have; None for None. Raises TokenFileError."""
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= MAX_SAMPLES:
        raise TokenFileError(f"{path} is damaged: {value!r} is no number of samples")
    if spec is not None and num_frames < frames_needed(value, spec):
        raise TokenFileError(f"{path} is cut short: it holds {num_frames} of {frames_needed(value, spec)} frames")
    return value


def checked_layers(layers: int | None, spec: CodecSpec) -> int:
    """How many layers to keep; None: all. Raises CodesError for a number the codec has not."""
    if layers is None:
        return spec.num_layers
    if not 1 <= layers <= spec.num_layers:
        raise CodesError(f"{spec.name} has 1 to {spec.num_layers} layers of codes, not {layers}")
    return layers
