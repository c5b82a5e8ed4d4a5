"""Both halves of a codec on ONNX Runtime, as streaming sessions.

What comes from outside is checked here, before the graph sees it: a Gather on the CPU wraps negative indices silently,
and other providers do not check at all.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from codec.checks import clean_samples, complete_codes
from codec.errors import FrameSizeError, ModelError
from codec.model_file import ActiveProvider, Half, OnnxModel, Provider, StateSpec
from codec.session import AnyIntegers, Codes, RowMask, Samples
from codec.spec import CodecSpec
from codec.stepper import MAX_FRAMES_PER_STEP, Stepper

__all__ = [
    "MAX_FRAMES_PER_STEP",
    "OnnxDecoder",
    "OnnxDecoderSession",
    "OnnxEncoder",
    "OnnxEncoderSession",
    "OnnxModel",
    "StateSpec",
]


class _OnnxSession:
    """What both halves share: the stepper, reset, warm-up, the `with` block."""

    def __init__(self, model: OnnxModel, batch_size: int, extra_outputs: tuple[str, ...] = ()) -> None:
        self.spec = model.spec
        self.batch_size = batch_size
        self._stepper = Stepper(model, batch_size, extra_outputs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the state. Safe to call twice."""
        self._stepper.close()

    @property
    def extras(self) -> dict[str, NDArray[Any]]:
        """The extra outputs the session was made with, as the last step of the last call left them."""
        return self._stepper.extras

    def reset(self, mask: RowMask | None = None) -> None:
        """Start the rows in `mask` [B] (None: all) afresh: it takes effect with each row's next active frame."""
        self._stepper.mark_reset(mask)

    def clone(self) -> Self:
        """A session that stands where this one does; from here on each goes its own way."""
        twin = copy(self)
        twin._stepper = self._stepper.clone()
        return twin

    def _active_rows(self, active: RowMask | None) -> RowMask | None:
        """The checked mask, or None where it spares nobody."""
        if active is None:
            return None
        rows = self._stepper.row_mask(active)
        return None if rows.all() else rows


class OnnxEncoderSession(_OnnxSession):
    """Streaming state of an encoder. For one thread at a time."""

    nonfinite_samples = 0
    """NaN and infinite samples, replaced by 0, and those beyond eight times full scale, cut to it; so far."""

    def encode(self, pcm: Samples, active: RowMask | None = None) -> Codes:
        """Samples [B, N·frame_size] (or [N·frame_size] when B is 1), ±1 full scale, to codes int64 [B, K, N].

        Any N: long input runs in steps of at most 25 frames, with the same result. Rows that are not `active` [B] keep
        their state; their codes are -1. Raises FrameSizeError for samples that are not whole frames or not floats.
        """
        samples = np.asarray(pcm)
        if samples.ndim == 1 and self.batch_size == 1:
            samples = samples[np.newaxis]
        size = self.spec.frame_size
        if samples.ndim != 2 or samples.shape[0] != self.batch_size or samples.shape[1] % size or not samples.shape[1]:
            raise FrameSizeError(
                f"The encoder takes whole frames of {size} samples as [{self.batch_size}, N*{size}], not shape "
                f"{list(np.shape(pcm))} — a FrameAssembler collects them"
            )
        if samples.dtype.kind != "f":
            raise FrameSizeError(f"The encoder takes float samples between -1 and 1, not {samples.dtype}")
        cleaned, replaced = clean_samples(samples)
        self.nonfinite_samples += replaced
        rows = self._active_rows(active)
        frames = cleaned.shape[1] // size
        if rows is not None and not rows.any():
            return np.full((self.batch_size, self.spec.num_layers, frames), -1, dtype=np.int64)
        limit = self._stepper.max_frames
        parts: list[Codes] = []
        for first in range(0, frames, limit):
            count = min(limit, frames - first)
            parts.append(self._stepper.step(cleaned[:, first * size : (first + count) * size], count, rows))
        codes = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        if rows is not None:
            codes[~rows] = -1
        return codes

    def warm_up(self, frames: int = 1) -> None:
        """Run silence twice and forget it, so that the first real frame meets warm buffers. All state is lost."""
        for _ in range(2):
            self.encode(np.zeros((self.batch_size, frames * self.spec.frame_size), dtype=np.float32))
        self._stepper.restart()


class OnnxDecoderSession(_OnnxSession):
    """Streaming state of a decoder. For one thread at a time."""

    def decode(self, codes: AnyIntegers, active: RowMask | None = None) -> Samples:
        """Codes [B, K, N] (or [K, N] when B is 1) to samples float32 [B, N·frame_size].

        K may be anything from 1 to num_layers, and -1 may fill a suffix of a frame's layers: they add nothing. Any N:
        long input runs in steps of at most 25 frames, with the same result. Rows that are not `active` [B] keep their
        state, their codes are not looked at, and their samples are 0. Raises CodesError, before ONNX Runtime sees them.
        """
        given = np.asarray(codes)
        if given.ndim == 2 and self.batch_size == 1:
            given = given[np.newaxis]
        rows = self._active_rows(active)
        complete = complete_codes(given, self.spec, self.batch_size, rows)
        frames = complete.shape[2]
        if rows is not None and not rows.any():
            return np.zeros((self.batch_size, frames * self.spec.frame_size), dtype=np.float32)
        limit = self._stepper.max_frames
        parts: list[Samples] = []
        for first in range(0, frames, limit):
            count = min(limit, frames - first)
            parts.append(self._stepper.step(complete[:, :, first : first + count], count, rows))
        samples = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        if rows is not None:
            samples[~rows] = 0
        return samples

    def warm_up(self, frames: int = 1) -> None:
        """Run code 0 twice and forget it, so that the first real frame meets warm buffers. All state is lost."""
        for _ in range(2):
            self.decode(np.zeros((self.batch_size, self.spec.num_layers, frames), dtype=np.int64))
        self._stepper.restart()


class _OnnxHalf:
    """A model known to be the half that is wanted."""

    half: Half

    def __init__(self, model: OnnxModel) -> None:
        if model.half != self.half:
            raise ModelError(f"{model.path} holds the {model.half} of {model.spec.name}, not the {self.half}")
        self.model = model

    @classmethod
    def load(cls, path: Path | str, *, provider: Provider = "cpu", threads: int = 1) -> Self:
        """Open and check a file. Raises ModelError, ModelMissingError."""
        return cls(OnnxModel.load(path, provider=provider, threads=threads))

    @property
    def spec(self) -> CodecSpec:
        """The codec this is a half of."""
        return self.model.spec

    @property
    def active_provider(self) -> ActiveProvider:
        """What really runs it."""
        return self.model.active_provider

    @property
    def requested_provider(self) -> Provider:
        """What was asked for."""
        return self.model.requested_provider

    @property
    def file_sha256(self) -> str:
        """Hash of the file itself; the weights' own is in `spec`."""
        return self.model.file_sha256


class OnnxEncoder(_OnnxHalf):
    """Samples to codes."""

    half = "encoder"

    def session(self, batch_size: int = 1, *, extra_outputs: tuple[str, ...] = ()) -> OnnxEncoderSession:
        """New streaming state for `batch_size` rows; a context manager."""
        return OnnxEncoderSession(self.model, batch_size, extra_outputs)


class OnnxDecoder(_OnnxHalf):
    """Codes to samples."""

    half = "decoder"

    def session(self, batch_size: int = 1, *, extra_outputs: tuple[str, ...] = ()) -> OnnxDecoderSession:
        """New streaming state for `batch_size` rows; a context manager."""
        return OnnxDecoderSession(self.model, batch_size, extra_outputs)
