"""Torch halves behind the same sessions as ONNX Runtime's, so that callers and tests need not know which they have."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor

from codec.checks import clean_samples, complete_codes
from codec.errors import FrameSizeError
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

    @torch.inference_mode()
    def _step(self, data: Tensor, active: RowMask | None) -> tuple[Tensor, ...]:
        rows = np.ones(self.batch_size, dtype=np.bool_) if active is None else active
        begin = torch.from_numpy(self._pending & rows).to(self._device)
        state = select_rows(begin, self._half.initial_state(self.batch_size), self._state)
        outputs: tuple[Tensor, ...]
        outputs, after = self._half(data.to(self._device), state)
        self._state = select_rows(torch.from_numpy(rows).to(self._device), after, state)
        self._pending &= ~rows
        return outputs


class TorchEncoderSession(_TorchSession):
    """Streaming state of a torch encoder; `latents` [B, N, dim] are those of the last call."""

    nonfinite_samples = 0
    latents: Tensor

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
        cleaned, replaced = clean_samples(samples)
        self.nonfinite_samples += replaced
        codes, self.latents = self._step(torch.from_numpy(np.ascontiguousarray(cleaned)), active)
        result: Codes = codes.cpu().numpy()
        if active is not None:
            result[~active] = -1
        return result


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
    """A torch encoder as `codec.session.Encoder`."""

    def __init__(self, half: EncoderHalf, spec: CodecSpec) -> None:
        self.spec, self.half = spec, half.eval()

    def session(self, batch_size: int = 1) -> TorchEncoderSession:
        """New streaming state for `batch_size` rows; a context manager."""
        return TorchEncoderSession(self.half, self.spec, batch_size)


class TorchDecoder:
    """A torch decoder as `codec.session.Decoder`."""

    def __init__(self, half: DecoderHalf, spec: CodecSpec) -> None:
        self.spec, self.half = spec, half.eval()

    def session(self, batch_size: int = 1) -> TorchDecoderSession:
        """New streaming state for `batch_size` rows; a context manager."""
        return TorchDecoderSession(self.half, self.spec, batch_size)
