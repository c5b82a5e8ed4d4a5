"""One recording on its way from codes to a WAV file."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.audio.wav import WavWriter
from codec.checks import complete_codes
from codec.errors import CodecError, CodesError, ModelError, TokenFileError
from codec.files.conversion import Conversion, Listener
from codec.files.whole_file import WholeFile
from codec.formats.base import TokenSource
from codec.session import Codes
from codec.spec import CodecSpec

logger = logging.getLogger(__name__)


class DecodeJob:
    """A RowJob: a TokenSource in, a WAV file out, by the first `layers` layers (None: all there are).

    `name` is the recording's, where `source` holds others too. The delay of the codec is dropped from the start; the
    end is cut to the length of the recording where that is known.
    """

    def __init__(
        self,
        source: Path,
        open_tokens: Callable[[], TokenSource],
        target: Path,
        spec: CodecSpec,
        listener: Listener,
        *,
        layers: int | None = None,
        name: str = "",
    ) -> None:
        self.source, self.target = source, target
        self._label = f"{name} in {source}" if name else str(source)
        self._open_tokens, self._spec, self._listener, self._layers = open_tokens, spec, listener, layers
        self._stack = ExitStack()
        self._file: WholeFile | None = None
        self._chunks = 0

    def start(self) -> None:
        """See RowJob."""
        self._started = time.monotonic()
        tokens = self._stack.enter_context(self._open_tokens())
        spec = self._spec
        if tokens.spec is not None:
            check_same_codec(tokens.spec, spec, self.source)
        if tokens.layers > spec.num_layers:
            raise CodesError(f"{self._label} holds {tokens.layers} layers, {spec.name} has {spec.num_layers}")
        if self._layers is not None and not 1 <= self._layers <= tokens.layers:
            raise CodesError(f"{self._label} holds 1 to {tokens.layers} layers, not {self._layers}")
        self._tokens = tokens
        self._parts: Iterator[NDArray[np.integer[Any]]] = iter(tokens)
        self._to_skip = spec.delay_samples
        everything = max(tokens.num_frames * spec.frame_size - spec.delay_samples, 0)
        self._wanted = everything if tokens.num_samples is None else min(tokens.num_samples, everything)
        self._file = WholeFile(self.target, source=self.source)
        self._writer = self._stack.enter_context(WavWriter(self._file.path, spec.sample_rate))
        self._listener.opened(self._wanted / spec.sample_rate)

    def take(self) -> Codes:
        """See RowJob. Checked here: what is wrong with these codes is no matter of the other rows."""
        part = next(self._parts, None)
        if part is None:
            return np.zeros((self._spec.num_layers, 0), dtype=np.int64)
        try:
            complete: Codes = complete_codes(part[np.newaxis, : self._layers], self._spec, 1)[0]
        except CodesError as error:
            raise CodesError(f"{self._label}: {error}") from error
        return complete

    def put(self, result: NDArray[Any]) -> None:
        """See RowJob."""
        skipped = min(self._to_skip, result.size)
        self._to_skip -= skipped
        self._writer.write(result[skipped : skipped + self._wanted - self._writer.samples_written])
        self._chunks += 1
        self._listener.progressed(result.size / self._spec.sample_rate)

    def finish(self) -> None:
        """See RowJob."""
        assert self._file is not None
        if self._chunks == 0:
            raise TokenFileError(f"{self._label} holds no frames")
        writer = self._writer
        self._stack.close()
        size = self._file.path.stat().st_size
        self._file.commit()
        logger.info("%s: processed in %d chunks", self._label, self._chunks)
        self._listener.done(
            Conversion.of(
                self._spec,
                frames=self._tokens.num_frames,
                num_samples=writer.samples_written,
                bytes_written=size,
                elapsed_s=time.monotonic() - self._started,
                replaced_samples=writer.clipped_samples,
                chunks=self._chunks,
            )
        )

    def fail(self, error: CodecError) -> None:
        """See RowJob."""
        self.discard()
        self._listener.failed(self._label, error)

    def discard(self) -> None:
        """See RowJob."""
        try:
            self._stack.close()
        except CodecError:
            logger.debug("closing %s", self.target, exc_info=True)  # a disk that is full says so once
        if self._file is not None:
            self._file.discard()


def check_same_codec(tokens: CodecSpec, model: CodecSpec, path: Path) -> None:
    """Raise ModelError unless a decoder of `model` understands the tokens of `path`."""
    if tokens.weights_sha256 == model.weights_sha256 and tokens.num_layers == model.num_layers:
        return
    if tokens.name != model.name:
        raise ModelError(f"{path} was made by the codec {tokens.name}, this decoder is of {model.name}")
    raise ModelError(
        f"{path} was made by other weights of {tokens.name} ({tokens.weights_sha256[:12]}…) than this decoder's "
        f"({model.weights_sha256[:12]}…)"
    )
