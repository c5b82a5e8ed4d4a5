"""The building blocks of both halves; signals are [B, C, T]."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from codec.models.layers import (
    CausalConv1d,
    ChannelNorm,
    LayerScale,
    State,
    StreamingModule,
    WindowedAttention,
    child_state,
    prefixed,
)

RESIDUAL_SCALE = 0.2
"""Each residual branch begins at this gain, so that a deep stack starts close to the identity."""


class ConvNeXtBlock(StreamingModule):
    """Depthwise convolution over time, then a small network per frame, added to the input (Liu et al., 2022)."""

    def __init__(self, channels: int, *, kernel_size: int, expansion: int) -> None:
        super().__init__()
        self.mix = CausalConv1d(channels, channels, kernel_size, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, expansion * channels)
        self.project = nn.Linear(expansion * channels, channels)
        self.scale = LayerScale(channels, initial=RESIDUAL_SCALE)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, after = self.mix(x, child_state(state, "mix"))
        y = self.norm(y.transpose(1, 2))
        y = self.scale(self.project(functional.gelu(self.expand(y))))
        return x + y.transpose(1, 2), prefixed("mix", after)


class AttentionBlock(StreamingModule):
    """Windowed self-attention added to the input."""

    def __init__(self, channels: int, *, head_dim: int, window: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attention = WindowedAttention(channels, num_heads=channels // head_dim, head_dim=head_dim, window=window)
        self.scale = LayerScale(channels, initial=RESIDUAL_SCALE)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, after = self.attention(self.norm(x.transpose(1, 2)), child_state(state, "attention"))
        return x + self.scale(y).transpose(1, 2), prefixed("attention", after)


def downsample(channels: int, wider: int) -> nn.Module:
    """Half the rate: two frames become one."""
    return nn.Sequential(ChannelNorm(channels), nn.Conv1d(channels, wider, 2, stride=2))


def upsample(channels: int, narrower: int) -> nn.Module:
    """Twice the rate: one frame becomes two, which the next block's convolution joins."""
    return nn.Sequential(ChannelNorm(channels), nn.ConvTranspose1d(channels, narrower, 2, stride=2))
