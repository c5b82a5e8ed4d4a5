"""Normalisation and scaling; none of it looks along time, so none has state."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of [B, C, T]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class RootMeanSquareNorm(nn.Module):
    """RMSNorm over the last axis of [..., C] (Zhang and Sennrich, 2019); computed in float32."""

    def __init__(self, channels: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        power = x.float().square().mean(dim=-1, keepdim=True)
        return self.weight * (x.float() * torch.rsqrt(power + self.eps)).to(x.dtype)


class LayerScale(nn.Module):
    """A learned gain per channel on the last axis of [..., C] (Touvron et al., 2021)."""

    def __init__(self, channels: int, *, initial: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), initial))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x
