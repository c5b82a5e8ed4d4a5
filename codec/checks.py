"""What is let through to a model: finite samples, and codes that an encoder can have made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codec.errors import CodesError
from codec.session import AnyIntegers, Codes, RowMask, Samples
from codec.spec import CodecSpec

MISSING = -1
"""Stands for a layer that is not there."""

MAX_AMPLITUDE = 8.0
"""18 dB over full scale. Float files do pass 1.0; 1e30 is finite too, but its square would poison the state."""


def clean_samples(samples: NDArray[np.floating]) -> tuple[Samples, int]:
    """Float32 samples without NaN and infinities (they become 0) and within ±8; and how many were not so.

    The usual case costs one pass and no copy.
    """
    # A NaN makes the maximum NaN, which is not below anything: one comparison finds all three kinds.
    highest, lowest = samples.max(initial=0.0), samples.min(initial=0.0)
    if highest <= MAX_AMPLITUDE and lowest >= -MAX_AMPLITUDE:
        return samples.astype(np.float32, copy=False), 0
    bad = ~(np.abs(samples) <= MAX_AMPLITUDE)
    cleaned = np.where(np.isfinite(samples), np.clip(samples, -MAX_AMPLITUDE, MAX_AMPLITUDE), 0.0)
    return cleaned.astype(np.float32), int(np.count_nonzero(bad))


def complete_codes(codes: AnyIntegers, spec: CodecSpec, batch_size: int, active: RowMask | None = None) -> Codes:
    """Codes [B, K, N] as int64 [B, num_layers, N]: layers that were not sent, and rows not `active`, filled in.

    Rows not active may hold anything. Raises CodesError for a wrong dtype or shape, a code outside the codebook, a
    frame without layer 0 (that is a lost frame, for the concealer), or -1 followed by a real code.
    """
    if codes.dtype.kind not in "iu":
        raise CodesError(f"Codes are integers, not {codes.dtype}")
    if codes.ndim != 3 or codes.shape[0] != batch_size or codes.shape[2] == 0:
        raise CodesError(f"Codes of {batch_size} rows are [{batch_size}, K, N], not {list(codes.shape)}")
    layers, frames = codes.shape[1], codes.shape[2]
    if not 1 <= layers <= spec.num_layers:
        raise CodesError(f"{spec.name} has 1 to {spec.num_layers} layers of codes, not {layers}")
    if active is not None:
        codes = np.where(active[:, np.newaxis, np.newaxis], codes, codes.dtype.type(0))
    # Compared before the cast to int64, which would wrap what does not fit.
    highest, lowest = codes.max(), codes.min()
    if highest >= spec.codebook_size or lowest < MISSING:
        worst = highest if highest >= spec.codebook_size else lowest
        raise CodesError(f"Codes of {spec.name} lie between 0 and {spec.codebook_size - 1}, not {worst}")
    if lowest < 0:
        _check_missing_layers(codes)
    if layers == spec.num_layers:
        return codes.astype(np.int64, copy=False)
    complete = np.full((batch_size, spec.num_layers, frames), MISSING, dtype=np.int64)
    complete[:, :layers] = codes
    return complete


def _check_missing_layers(codes: AnyIntegers) -> None:
    missing = codes < 0
    if missing[:, 0].any():
        raise CodesError("A frame without layer 0 is a lost frame: it goes to the concealer, not to the decoder")
    if (missing[:, :-1] & ~missing[:, 1:]).any():
        raise CodesError("A missing layer (-1) may only be followed by missing layers: the prefix before it is usable")
