"""Torch halves behind the same sessions as ONNX Runtime's, so that callers and tests need not know which they have."""

from __future__ import annotations

from copy import copy
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec.checks import clean_samples, complete_codes
from codec.denormals import denormals_flushed
from codec.errors import CodecError, FrameSizeError
from codec.models.device import exact_float32
from codec.models.half import CodecHalf, DecoderHalf, EncoderHalf
from codec.models.layers import State, select_rows
from codec.session import AnyIntegers, Codes, RowMask, Samples
from codec.spec import CodecSpec


class _TorchSession:
    """State of `batch_size` rows of one half; a context manager, for one thread at a time."""

    def __init__(self, half: CodecHalf, spec: CodecSpec, batch_size: int) -> None:
        self.spec, self.batch_size, self._half = spec, batch_size, half
        self._device = next(half.parameters()).device
        self._state: State = half.initial_state(batch_size)
        self._pending = np.zeros(batch_size, dtype=np.bool_)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._state = {}

    def reset(self, mask: RowMask | None = None) -> None:
        """Start the rows in `mask` [B] (None: all) afresh: it takes effect with each row's next active frame."""
        self._pending |= np.ones(self.batch_size, dtype=np.bool_) if mask is None else mask

    def clone(self) -> Self:
        """A session that stands where this one does; from here on each goes its own way."""
        twin = copy(self)
        # The tensors of a state are never written to, so both may hold the same ones.
        twin._state = dict(self._state)
        twin._pending = self._pending.copy()
        return twin

    @torch.inference_mode()
    def _step(self, data: Tensor, active: RowMask | None) -> tuple[Tensor, ...]:
        rows = np.ones(self.batch_size, dtype=np.bool_) if active is None else active
        begin = self._pending & rows
        state = self._state
        if begin.any():
            fresh = self._half.initial_state(self.batch_size)
            state = select_rows(torch.from_numpy(begin).to(self._device), fresh, state)
        outputs: tuple[Tensor, ...]
        with exact_float32(self._device), denormals_flushed():
            outputs, after = self._half(data.to(self._device), state)
        if rows.all():
            self._state = {name: _compact(value) for name, value in after.items()}
        else:
            self._state = select_rows(torch.from_numpy(rows).to(self._device), after, state)
        self._pending &= ~rows
        return outputs


def _compact(value: Tensor) -> Tensor:
    """`value` without the rest of a long chunk that it may be the end of, and would keep in memory."""
    return value.clone() if value.untyped_storage().nbytes() > 2 * value.nbytes else value


class TorchEncoderSession(_TorchSession):
    """Streaming state of a torch encoder; `latents` [B, N, dim] are those of the last call."""

    nonfinite_samples = 0
    latents: Tensor

    def __init__(self, half: EncoderHalf, spec: CodecSpec, batch_size: int, max_frames: int | None = None) -> None:
        super().__init__(half, spec, batch_size)
        self._max_frames = max_frames
        self._frames = np.zeros(batch_size, dtype=np.int64)  # of each row since it began

    def clone(self) -> Self:
        """A session that stands where this one does; from here on each goes its own way."""
        twin = super().clone()
        twin._frames = self._frames.copy()
        return twin

    def encode(self, pcm: Samples, active: RowMask | None = None) -> Codes:
        """Samples [B, N * frame_size] (or [N * frame_size] when B is 1) to codes [B, K, N]; inactive rows give -1."""
        samples = np.asarray(pcm)
        if samples.ndim == 1 and self.batch_size == 1:
            samples = samples[np.newaxis]
        size = self.spec.frame_size
        if samples.ndim != 2 or len(samples) != self.batch_size or samples.shape[1] % size or not samples.shape[1]:
            raise FrameSizeError(
                f"The encoder takes whole frames of {size} samples as [{self.batch_size}, N*{size}], not shape "
                f"{list(samples.shape)} — a FrameAssembler collects them"
            )
        frames = self._frames_after(samples.shape[1] // size, active)
        cleaned, replaced = clean_samples(samples)
        self.nonfinite_samples += replaced
        codes, self.latents = self._step(torch.from_numpy(np.ascontiguousarray(cleaned)), active)
        self._frames = frames
        result: Codes = codes.cpu().numpy()
        if active is not None:
            result[~active] = -1
        return result

    def _frames_after(self, added: int, active: RowMask | None) -> NDArray[np.int64]:
        """How far each row will be. Raises CodecError where that is farther than full attention reaches."""
        rows = np.ones(self.batch_size, dtype=np.bool_) if active is None else active
        frames = np.where(rows, np.where(self._pending, 0, self._frames) + added, self._frames)
        if self._max_frames is not None and frames.max() > self._max_frames:
            raise CodecError(
                f"Full attention keeps all of a stream and takes at most {self._max_frames} frames "
                f"({self._max_frames * self.spec.frame_duration_s:.0f} s): cut the recording, or use the window"
            )
        return frames


class TorchDecoderSession(_TorchSession):
    """Streaming state of a torch decoder."""

    def decode(self, codes: AnyIntegers, active: RowMask | None = None) -> Samples:
        """Codes [B, K, N] (or [K, N] when B is 1) to samples [B, N * frame_size]; inactive rows give 0."""
        given = np.asarray(codes)
        if given.ndim == 2 and self.batch_size == 1:
            given = given[np.newaxis]
        complete = complete_codes(given, self.spec, self.batch_size, active)
        (pcm,) = self._step(torch.from_numpy(complete), active)
        result: Samples = pcm.cpu().numpy()
        if active is not None:
            result[~active] = 0
        return result


class TorchEncoder:
    """A torch encoder as `codec.session.Encoder`; `max_frames` bounds a stream where its state grows with it."""

    def __init__(self, half: EncoderHalf, spec: CodecSpec, *, max_frames: int | None = None) -> None:
        self.spec, self.half, self.max_frames = spec, half.eval(), max_frames

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.half.parameters()).device

    def session(self, batch_size: int = 1) -> TorchEncoderSession:
        """New streaming state for `batch_size` rows; a context manager."""
        return TorchEncoderSession(self.half, self.spec, batch_size, self.max_frames)


class TorchDecoder:
    """A torch decoder as `codec.session.Decoder`."""

    def __init__(self, half: DecoderHalf, spec: CodecSpec) -> None:
        self.spec, self.half = spec, half.eval()

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.half.parameters()).device

    def session(self, batch_size: int = 1) -> TorchDecoderSession:
        """New streaming state for `batch_size` rows; a context manager."""
        return TorchDecoderSession(self.half, self.spec, batch_size)
