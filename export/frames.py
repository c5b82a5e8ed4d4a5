"""Both halves and both engines as functions of frames: [rows, N, width] in, tuples of [rows, N, …] out.

With time on the same axis everywhere, whatever drives streams need not know which half it drives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.models.session import TorchDecoderSession, TorchEncoderSession
from codec.onnx import OnnxDecoderSession, OnnxEncoderSession
from codec.session import RowMask

Frames = NDArray[Any]
"""[rows, N, frame_size] float32 samples, [rows, N, num_layers] int64 codes or [rows, N, dim] float32 latents."""

RunFrames = Callable[[Frames, RowMask | None], tuple[Frames, ...]]


def decoding(session: OnnxDecoderSession | TorchDecoderSession) -> RunFrames:
    """Codes to (pcm,)."""

    def run(codes: Frames, active: RowMask | None) -> tuple[Frames, ...]:
        pcm = session.decode(np.ascontiguousarray(codes.transpose(0, 2, 1)), active)
        return (pcm.reshape(*codes.shape[:2], -1),)

    return run


def encoding(session: OnnxEncoderSession | TorchEncoderSession) -> RunFrames:
    """pcm to (codes, latents), at most 25 frames a call.

    An ONNX session without `extra_outputs=("latents",)` gives (codes,) alone.
    """

    def run(pcm: Frames, active: RowMask | None) -> tuple[Frames, ...]:
        codes = session.encode(pcm.reshape(len(pcm), -1), active)
        if isinstance(session, TorchEncoderSession):
            return codes.transpose(0, 2, 1), session.latents.cpu().numpy()
        return codes.transpose(0, 2, 1), *session.extras.values()

    return run


def in_steps(run: RunFrames, data: Frames, count: int) -> tuple[Frames, ...]:
    """All of `data` through `run` in steps of `count` frames (the last may be shorter), every row active."""
    parts = [run(data[:, first : first + count], None) for first in range(0, data.shape[1], count)]
    return tuple(np.concatenate(pieces, axis=1) for pieces in zip(*parts, strict=True))
