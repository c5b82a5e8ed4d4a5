"""Causal convolutions over time whose past is a state."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from codec.errors import FrameSizeError
from codec.models.layers.streaming import State, StreamingModule


def require_multiple(length: int, stride: int, layer: str) -> None:
    """A strided layer keeps no remainder: whole strides only; the FrameAssembler collects the rest."""
    if length % stride:
        raise FrameSizeError(
            f"{layer} takes multiples of its stride of {stride} samples, got {length}: "
            "collect samples in a FrameAssembler first"
        )


class CausalConv1d(StreamingModule):
    """Convolution whose output at a time depends on that time and earlier.

    x: [B, in_channels, T], T a multiple of `stride` -> [B, out_channels, T / stride].
    State `previous`: [B, in_channels, dilation * (kernel_size - 1) + 1 - stride] samples before the chunk. A stream
    begins with zeros, or, with start="replicate", with copies of its first sample; `started` [B] bool then tells which
    rows have begun (Mimi's downsampling does so).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
        start: Literal["zero", "replicate"] = "zero",
    ) -> None:
        super().__init__()
        self.stride, self.dilation, self.groups, self.start = stride, dilation, groups, start
        self.context = dilation * (kernel_size - 1) + 1 - stride
        if self.context < 0:
            raise ValueError(f"a kernel of {kernel_size} (dilation {dilation}) skips samples at stride {stride}")
        self.in_channels = in_channels
        convolution = nn.Conv1d(in_channels, out_channels, kernel_size, groups=groups, bias=bias)
        self.weight, self.bias = convolution.weight, convolution.bias

    def initial_state(self, batch_size: int) -> State:
        if not self.context:
            return {}
        state = {"previous": self.weight.new_zeros(batch_size, self.in_channels, self.context)}
        if self.start == "replicate":
            state["started"] = torch.zeros(batch_size, dtype=torch.bool, device=self.weight.device)
        return state

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        if self.stride > 1:
            require_multiple(x.shape[-1], self.stride, "CausalConv1d")
        after: State = {}
        if self.context:
            previous = state["previous"]
            if self.start == "replicate":
                first = x[..., :1].expand(-1, -1, self.context)
                previous = torch.where(state["started"][:, None, None], previous, first)
                after["started"] = torch.ones_like(state["started"])
            x = torch.cat([previous, x], dim=-1)
            after["previous"] = x[..., -self.context :]
        y = functional.conv1d(x, self.weight, self.bias, stride=self.stride, dilation=self.dilation, groups=self.groups)
        return y, after


class CausalConvTranspose1d(StreamingModule):
    """Transposed convolution that emits `stride` samples per input and holds back what later inputs add to.

    x: [B, in_channels, T] -> [B, out_channels, T * stride].
    State `partial`: [B, out_channels, kernel_size - stride], sums still open, without bias. The one-pass equivalent
    trims the last kernel_size - stride samples.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if kernel_size < stride:
            raise ValueError(f"a kernel of {kernel_size} leaves holes at stride {stride}")
        self.stride, self.groups, self.out_channels = stride, groups, out_channels
        self.overlap = kernel_size - stride
        convolution = nn.ConvTranspose1d(
            in_channels, out_channels, kernel_size, stride=stride, groups=groups, bias=bias
        )
        self.weight, self.bias = convolution.weight, convolution.bias

    def initial_state(self, batch_size: int) -> State:
        if not self.overlap:
            return {}
        return {"partial": self.weight.new_zeros(batch_size, self.out_channels, self.overlap)}

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y = functional.conv_transpose1d(x, self.weight, None, stride=self.stride, groups=self.groups)
        after: State = {}
        if self.overlap:
            # Padding rather than assigning to a slice: the exporter keeps it one plain graph.
            y = y + functional.pad(state["partial"], (0, y.shape[-1] - self.overlap))
            emitted = x.shape[-1] * self.stride
            after["partial"] = y[..., emitted:]
            y = y[..., :emitted]
        if self.bias is not None:
            y = y + self.bias[:, None]
        return y, after
