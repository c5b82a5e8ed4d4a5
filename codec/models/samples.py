"""What an encoder's graph lets in: samples that are numbers, and not absurdly large."""

from __future__ import annotations

import torch
from torch import Tensor

from codec.checks import MAX_AMPLITUDE


def within_bounds(pcm: Tensor) -> Tensor:
    """`pcm` cut at ±MAX_AMPLITUDE, NaN and infinities as zeros: a float file may exceed full scale, but an absurd value
    must not blind a stream for long."""
    cut = torch.where(pcm.abs() < float("inf"), pcm.sign() * MAX_AMPLITUDE, 0.0)
    return torch.where(pcm.abs() <= MAX_AMPLITUDE, pcm, cut)
