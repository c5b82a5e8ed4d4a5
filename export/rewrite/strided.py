"""Downsampling convolutions as matrix products over rows (see `export.rewrite.rows`)."""

from __future__ import annotations

import torch
from torch import Tensor

from codec.models.layers import CausalConv1d, State, StreamingModule
from export.rewrite.rows import RowProduct


class RowStridedConv(StreamingModule):
    """A `CausalConv1d` whose kernel is two strides long, over rows: [B, T, C] -> [B, T / stride, out].

    A stride of rows is one row of a matrix, and every output is a product of two of those, the older one first. The
    state is that layer's.
    """

    def __init__(self, layer: CausalConv1d) -> None:
        super().__init__()
        out, self.channels, kernel = layer.weight.shape
        self.stride, self.start = layer.stride, layer.start
        if kernel != 2 * self.stride or layer.dilation != 1 or layer.groups != 1:
            raise ValueError("only a convolution over two strides becomes a product of strides of rows")
        weight = layer.weight.detach()
        bias = weight.new_zeros(out) if layer.bias is None else layer.bias.detach()
        self.product = RowProduct(weight.permute(2, 1, 0).reshape(-1, out), bias)

    def initial_state(self, batch_size: int) -> State:
        weight = self.product.weight
        state = {"previous": weight.new_zeros(batch_size, self.channels, self.stride)}
        if self.start == "replicate":
            state["started"] = torch.zeros(batch_size, dtype=torch.bool, device=weight.device)
        return state

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        past, after = state["previous"].transpose(1, 2), {"previous": x[:, -self.stride :].transpose(1, 2)}
        if self.start == "replicate":
            past = torch.where(state["started"][:, None, None], past, x[:, :1])
            after["started"] = torch.ones_like(state["started"])
        width = self.stride * self.channels
        blocks = x.reshape(x.shape[0], -1, width)
        before = torch.cat([past.reshape(x.shape[0], 1, width), blocks[:, :-1]], dim=1)
        return self.product(torch.cat([before, blocks], dim=2)), after
