"""Recordings on their way through the rows of a session, with their results kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.audio.reader import AudioReader
from codec.checks import complete_codes
from codec.errors import AudioInputError, CodecError
from codec.files.frame_source import FrameSource
from codec.session import AnyIntegers, Codes, Samples
from codec.spec import CodecSpec
from codec.tokenizer.coded import CodedRecording


class _Job:
    """What both directions share: an error ends everything, and whatever was opened is closed."""

    def __init__(self) -> None:
        self.chunks = 0
        self._stack = ExitStack()

    def finish(self) -> None:
        """See RowJob."""
        self._stack.close()

    def fail(self, error: CodecError) -> None:
        """See RowJob."""
        self._stack.close()
        raise error

    def discard(self) -> None:
        """See RowJob."""
        self._stack.close()


class EncodeJob(_Job):
    """Sound in; `codes` [layers, T] and `num_samples` at the end. What is odd about the sound is in `reader`."""

    reader: AudioReader

    def __init__(self, open_reader: Callable[[], AudioReader], spec: CodecSpec, layers: int) -> None:
        super().__init__()
        self._open, self._spec, self._layers = open_reader, spec, layers
        self._parts: list[Codes] = []

    def start(self) -> None:
        """See RowJob."""
        self.reader = self._stack.enter_context(self._open())
        self._frames = FrameSource(self.reader, self._spec)

    def take(self) -> Samples:
        """See RowJob."""
        chunk = self._frames.take()
        if chunk.size == 0 and self._frames.num_samples == 0:
            raise AudioInputError(f"There is no sound in {self.reader.name}: it holds not one sample")
        return chunk

    def put(self, result: NDArray[Any]) -> None:
        """See RowJob."""
        self._parts.append(result[: self._layers].copy())
        self.chunks += 1

    @property
    def codes(self) -> Codes:
        """All of it."""
        return np.concatenate(self._parts, axis=1)

    @property
    def num_samples(self) -> int:
        """Of the recording, at the codec's rate."""
        return self._frames.num_samples


class DecodeJob(_Job):
    """Codes in, by their first `layers` layers (None: all that are there); `samples` [T] at the end."""

    def __init__(self, recording: CodedRecording, spec: CodecSpec, layers: int | None) -> None:
        super().__init__()
        self._recording, self._spec, self._layers = recording, spec, layers
        self._to_skip = spec.delay_samples
        # Where the length is known, and it has been held against the frames, nothing is copied together in the end.
        length = recording.num_samples
        self._whole: Samples | None = None if length is None else np.zeros(length, dtype=np.float32)
        self._parts_made: list[Samples] = []
        self._filled = 0

    def start(self) -> None:
        """See RowJob."""
        self._parts: Iterator[AnyIntegers] = iter(self._stack.enter_context(self._recording.open()))

    def take(self) -> Codes:
        """See RowJob. Raises CodesError, TokenFileError."""
        part = next(self._parts, None)
        if part is None:
            return np.zeros((self._spec.num_layers, 0), dtype=np.int64)
        complete: Codes = complete_codes(part[np.newaxis, : self._layers], self._spec, 1)[0]
        return complete

    def put(self, result: NDArray[Any]) -> None:
        """See RowJob. The codec's delay and what padding made are cut off."""
        self.chunks += 1
        skipped = min(self._to_skip, result.size)
        self._to_skip -= skipped
        if self._whole is None:
            self._parts_made.append(result[skipped:].copy())
            return
        kept = result[skipped : skipped + self._whole.size - self._filled]
        self._whole[self._filled : self._filled + kept.size] = kept
        self._filled += kept.size

    @property
    def samples(self) -> Samples:
        """All of it."""
        if self._whole is not None:
            return self._whole
        return np.concatenate([np.zeros(0, dtype=np.float32), *self._parts_made])
