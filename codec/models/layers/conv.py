"""Causal convolutions over time whose past is a state."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from codec.errors import FrameSizeError
from codec.models.layers.streaming import State, StreamingModule

FEW_OUTPUTS = 32
"""Up to so many outputs a convolution on a CPU is quicker as a matrix product: see `_on_cpu`."""


def _on_cpu(x: Tensor) -> bool:
    """Whether torch itself computes here, and on a CPU, where it is slow at some convolutions of a single frame.

    At each call it rearranges all weights, 33 MB of the encoder's largest, for two outputs: up to eight times the work
    of the product, and twelve times for a transposed one. A graph (exported or compiled) keeps its one node, which
    whoever runs it may rewrite.
    """
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


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
        kernel = self.weight.shape[-1]
        if _on_cpu(x) and self.dilation == self.groups == 1 and x.shape[-1] - kernel < FEW_OUTPUTS * self.stride:
            rows = x.unfold(-1, kernel, self.stride).transpose(1, 2).flatten(2)
            return functional.linear(rows, self.weight.flatten(1), self.bias).transpose(1, 2), after
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
        y = self._sums(x)
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

    def _sums(self, x: Tensor) -> Tensor:
        """What the chunk alone adds up to, [B, out_channels, (T - 1) * stride + kernel_size]."""
        kernel = self.weight.shape[-1]
        if self.groups > 1 or kernel % self.stride or not _on_cpu(x):
            return functional.conv_transpose1d(x, self.weight, None, stride=self.stride, groups=self.groups)
        batch, _, length = x.shape
        blocks = kernel // self.stride
        products = x.transpose(1, 2) @ self.weight.flatten(1)
        parts = products.reshape(batch, length, self.out_channels, blocks, self.stride).transpose(1, 2)
        # Part b of each input lands b strides later.
        total = functional.pad(parts[:, :, :, 0], (0, 0, 0, blocks - 1))
        for block in range(1, blocks):
            total = total + functional.pad(parts[:, :, :, block], (0, 0, block, blocks - 1 - block))
        return total.flatten(2)
