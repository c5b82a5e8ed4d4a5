"""Convolutions as matrix products over rows: a signal is [B, T, C] here, time in rows and channels in columns.

A causal convolution is one product of [T, kernel * C] (every row beside the rows before it that it looks at) with
[kernel * C, out]; a transposed one is two, the second for what falls on the next input's samples. Against ONNX
Runtime's own convolutions over [B, C, T] this spares the packing of weights at every step, runs in int8 with the float
result that the next layer wants, and leaves no transposition but those of the states, which stay [B, C, T].

Inputs may come with an `offset` [C] still to be added: a constant per channel that the layer before has left out. It
goes into the bias here, which costs nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from codec.models.layers import CausalConv1d, CausalConvTranspose1d, State, StreamingModule


class RowProduct(nn.Module):
    """[..., in] @ [in, out] + bias. One product of two matrices whatever comes: ONNX then adds the bias inside it."""

    def __init__(self, matrix: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(matrix.detach().clone().contiguous(), requires_grad=False)
        self.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.addmm(self.bias, x.reshape(-1, self.weight.shape[0]), self.weight)
        return y.reshape(x.shape[0], -1, self.weight.shape[1])


class RowConv(StreamingModule):
    """A `CausalConv1d` of stride 1 and one group, over rows; its state is that layer's."""

    def __init__(self, layer: CausalConv1d, *, offset: Tensor | None = None) -> None:
        super().__init__()
        if layer.stride != 1 or layer.groups != 1 or layer.start != "zero":
            raise ValueError("only a plain causal convolution becomes a product of rows")
        out, channels, self.kernel = layer.weight.shape
        self.dilation, self.context, self.channels = layer.dilation, layer.context, channels
        weight = layer.weight.detach()
        bias = weight.new_zeros(out) if layer.bias is None else layer.bias.detach()
        self.offset = None if offset is None else nn.Parameter(offset.detach().clone(), requires_grad=False)
        if offset is not None:
            bias = bias + weight.sum(dim=2) @ offset.detach()
        self.product = RowProduct(weight.permute(2, 1, 0).reshape(-1, out), bias)

    def initial_state(self, batch_size: int) -> State:
        if not self.context:
            return {}
        return {"previous": self.product.weight.new_zeros(batch_size, self.channels, self.context)}

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        if not self.context:
            return self.product(x), {}
        x, after = with_past(x, state["previous"], self.offset)
        return self.product(beside_each_other(x, self.kernel, self.dilation)), {"previous": after}


class RowConvToOne(StreamingModule):
    """A `CausalConv1d` to a single channel, over rows: every tap first, for all rows at once, then the shifted sum.

    A product with one column would read a matrix `kernel` times as large as the signal.
    """

    def __init__(self, layer: CausalConv1d, *, offset: Tensor) -> None:
        super().__init__()
        out, self.channels, self.kernel = layer.weight.shape
        if out != 1 or layer.stride != 1 or layer.dilation != 1 or layer.groups != 1 or layer.bias is None:
            raise ValueError("only a plain causal convolution to one channel becomes a sum of taps")
        self.context = layer.context
        weight = layer.weight.detach()[0]
        self.offset = nn.Parameter(offset.detach().clone(), requires_grad=False)
        self.weight = nn.Parameter(weight.clone(), requires_grad=False)
        bias = layer.bias.detach() + weight.sum(dim=1) @ offset.detach()
        self.bias = nn.Parameter(bias, requires_grad=False)

    def initial_state(self, batch_size: int) -> State:
        return {"previous": self.weight.new_zeros(batch_size, self.channels, self.context)}

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        length = x.shape[1]
        x, after = with_past(x, state["previous"], self.offset)
        taps = torch.matmul(x, self.weight).transpose(1, 2)
        y = taps[:, 0, :length]
        for tap in range(1, self.kernel):
            y = y + taps[:, tap, tap : tap + length]
        return (y + self.bias)[..., None], {"previous": after}


class RowConvTranspose(StreamingModule):
    """A `CausalConvTranspose1d` whose kernel is one or two strides long, over rows; its state is that layer's."""

    def __init__(self, layer: CausalConvTranspose1d, *, offset: Tensor | None = None) -> None:
        super().__init__()
        self.stride, self.overlap, self.out = layer.stride, layer.overlap, layer.out_channels
        if layer.groups != 1 or layer.overlap not in (0, layer.stride):
            raise ValueError("only a transposed convolution over one or two strides becomes products of rows")
        weight = layer.weight.detach()
        bias = weight.new_zeros(self.out) if layer.bias is None else layer.bias.detach()
        constant = weight.new_zeros(self.out, weight.shape[2])
        if offset is not None:
            constant = torch.einsum("iok,i->ok", weight, offset.detach())
        parts = weight.permute(0, 2, 1)  # [in, kernel, out]
        constants = constant.t()
        self.head = RowProduct(parts[:, : self.stride].flatten(1), (constants[: self.stride] + bias).flatten())
        late = parts[:, self.stride :].flatten(1), constants[self.stride :].flatten()
        self.tail = RowProduct(*late) if self.overlap else None

    def initial_state(self, batch_size: int) -> State:
        if not self.overlap:
            return {}
        return {"partial": self.head.weight.new_zeros(batch_size, self.out, self.overlap)}

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y = self.head(x)
        after: State = {}
        if self.tail is not None:
            late = self.tail(x)
            open_sums = state["partial"].transpose(1, 2).reshape(x.shape[0], 1, -1)
            y = y + torch.cat([open_sums, late[:, :-1]], dim=1)
            after["partial"] = late[:, -1].reshape(-1, self.overlap, self.out).transpose(1, 2)
        return y.reshape(x.shape[0], -1, self.out), after


def with_past(x: Tensor, previous: Tensor, offset: Tensor | None) -> tuple[Tensor, Tensor]:
    """x [B, T, C] with the state `previous` [B, C, context] before it, and the state after it.

    `offset` [C]: what x lacks of the signal that the state holds.
    """
    past = previous.transpose(1, 2)
    x = torch.cat([past if offset is None else past - offset, x], dim=1)
    last = x[:, -previous.shape[2] :]
    return x, (last if offset is None else last + offset).transpose(1, 2)


def beside_each_other(x: Tensor, kernel: int, dilation: int) -> Tensor:
    """[B, T + (kernel - 1) * dilation, C] to [B, T, kernel * C]: in each row what one output looks at, oldest first."""
    length = x.shape[1] - (kernel - 1) * dilation
    first = torch.arange(length, device=x.device)[:, None]
    taps = (first + dilation * torch.arange(kernel, device=x.device)).flatten()
    return x.index_select(1, taps).reshape(x.shape[0], length, kernel * x.shape[2])


def layer_norm(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """`norm` over the columns."""
    return functional.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
