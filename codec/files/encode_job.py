"""One recording on its way from sound to codes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from codec.audio.inputs import open_input
from codec.errors import AudioFileError, CodecError
from codec.files.conversion import Conversion, Listener
from codec.files.frame_source import FrameSource
from codec.formats.base import TokenSink
from codec.session import Samples
from codec.spec import CodecSpec

logger = logging.getLogger(__name__)


class EncodeJob:
    """A RowJob: a file or an address in, a TokenSink out, which is asked for when the sound is open."""

    def __init__(
        self, source: Path | str, open_sink: Callable[[], TokenSink], spec: CodecSpec, listener: Listener
    ) -> None:
        self.source, self._open_sink, self._spec, self._listener = source, open_sink, spec, listener
        self._stack = ExitStack()
        self._sink: TokenSink | None = None
        self._frames = self._chunks = 0

    def start(self) -> None:
        """See RowJob."""
        self._started = time.monotonic()
        self._reader = self._stack.enter_context(open_input(self.source, self._spec.sample_rate))
        self._frame_source = FrameSource(self._reader, self._spec)
        self._sink = self._open_sink()
        self._listener.opened(self._reader.duration_s)

    def take(self) -> Samples:
        """See RowJob."""
        chunk = self._frame_source.take()
        if chunk.size == 0 and self._frame_source.num_samples == 0:
            raise AudioFileError(f"There is no sound in {self._reader.name}", path=self._reader.path, reason="empty")
        return chunk

    def put(self, result: NDArray[Any]) -> None:
        """See RowJob."""
        assert self._sink is not None
        self._sink.write(result)
        self._chunks += 1
        self._frames += result.shape[1]
        self._listener.progressed(result.shape[1] * self._spec.frame_duration_s)

    def finish(self) -> None:
        """See RowJob."""
        assert self._sink is not None
        reader, num_samples = self._reader, self._frame_source.num_samples
        size = self._sink.finish(num_samples)
        self._stack.close()
        if reader.faults is not None:
            logger.warning("%s", reader.faults)
        if reader.loud_samples:
            logger.warning(
                "%s: %d samples lie beyond full scale (the loudest at %.2f)",
                *(reader.name, reader.loud_samples, reader.peak),
            )
        logger.info("%s: processed in %d chunks", reader.name, self._chunks)
        self._listener.done(
            Conversion.of(
                self._spec,
                frames=self._frames,
                num_samples=num_samples,
                bytes_written=size,
                elapsed_s=time.monotonic() - self._started,
                replaced_samples=reader.nonfinite_samples,
                chunks=self._chunks,
            )
        )

    def fail(self, error: CodecError) -> None:
        """See RowJob."""
        self.discard()
        self._listener.failed(str(self.source), error)

    def discard(self) -> None:
        """See RowJob."""
        if self._sink is not None:
            self._sink.discard()
        self._stack.close()
