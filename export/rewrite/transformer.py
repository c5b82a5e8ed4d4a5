"""The decoder's transformer in fewer and larger products: one for query, key and value, one for gate and expansion."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from codec.models.layers import LayerScale, RootMeanSquareNorm, State, StreamingModule, child_state, prefixed
from codec.models.layers.attention import rotate
from codec.models.qwen3.decoder import PreTransformer
from codec.models.qwen3.transformer import GatedNetwork, TransformerBlock
from export.rewrite.rows import RowProduct


class BlockRows(nn.Module):
    """A `TransformerBlock` with the gains of norms and residual branches folded into the products beside them."""

    def __init__(self, block: TransformerBlock) -> None:
        super().__init__()
        attention, network = block.attention, block.network
        biased = any(name.endswith(".bias") for name, _ in attention.named_parameters())
        if not isinstance(network, GatedNetwork) or biased or attention.window is None:
            raise TypeError("only blocks with a gated network and a window, without biases, are known here")
        self.num_heads, self.head_dim = attention.num_heads, attention.head_dim
        self.window, self.theta = attention.window, attention.theta
        before, between = _gain(block.attention_norm), _gain(block.network_norm)
        self.eps = _eps(block.attention_norm), _eps(block.network_norm)
        query = attention.query.weight * self.head_dim**-0.5
        projections = torch.cat([query, attention.key.weight, attention.value.weight]) * before
        self.enter = _product(projections)
        self.leave = _product(attention.output.weight * _scale(block.attention_scale)[:, None])
        self.expand = _product(torch.cat([network.gate.weight, network.expand.weight]) * between)
        self.project = _product(network.project.weight * _scale(block.network_scale)[:, None])

    def initial_state(self, batch_size: int) -> State:
        """As that of the block it is made of."""
        weight = self.enter.weight
        shape = (batch_size, self.num_heads, self.window - 1, self.head_dim)
        return {
            "attention.keys": weight.new_zeros(shape),
            "attention.values": weight.new_zeros(shape),
            "attention.valid": torch.zeros(batch_size, dtype=torch.int64),
        }

    def forward(self, x: Tensor, state: State, places: Tensor) -> tuple[Tensor, State]:
        """`places`: see `places_kept`."""
        y, after = self._attend(_normalised(x, self.eps[0]), child_state(state, "attention"), places)
        x = x + y
        gate, wide = self.expand(_normalised(x, self.eps[1])).chunk(2, dim=-1)
        return x + self.project(functional.silu(gate) * wide), prefixed("attention", after)

    def _attend(self, x: Tensor, state: State, places: Tensor) -> tuple[Tensor, State]:
        past, length = self.window - 1, x.shape[1]
        heads = self.enter(x).reshape(x.shape[0], length, 3 * self.num_heads, self.head_dim).transpose(1, 2)
        query, key, value = heads.split(self.num_heads, dim=1)
        keys = torch.cat([state["keys"], key], dim=2)
        values = torch.cat([state["values"], value], dim=2)
        query = rotate(query, first=past, theta=self.theta)
        score = query @ rotate(keys, first=0, theta=self.theta).transpose(-1, -2)
        at = torch.arange(past, past + length)[:, None]
        seen = torch.arange(past + length)[None, :]
        in_window = (seen <= at) & (seen > at - self.window)
        real = seen >= (past - state["valid"])[:, None, None]
        score = score.masked_fill(~(in_window & real)[:, None], float("-inf"))
        y = self.leave((score.softmax(dim=-1) @ values).transpose(1, 2).flatten(2))
        valid = torch.clamp(state["valid"] + length, max=past)
        return y, {"keys": _kept(keys, places), "values": _kept(values, places), "valid": valid}


class PreTransformerRows(StreamingModule):
    """A `PreTransformer` over rows."""

    def __init__(self, transformer: PreTransformer) -> None:
        super().__init__()
        self.enter = RowProduct(transformer.enter.weight.t(), transformer.enter.bias)
        self.blocks = nn.ModuleList()
        for block in transformer.blocks.children():
            assert isinstance(block, TransformerBlock)
            self.blocks.append(BlockRows(block))
        self.eps = transformer.norm.eps
        leave = transformer.leave
        self.leave = RowProduct((leave.weight * transformer.norm.weight).t(), leave.bias)

    def initial_state(self, batch_size: int) -> State:
        state: State = {}
        for number, block in self.blocks.named_children():
            assert isinstance(block, BlockRows)
            state |= prefixed(f"blocks.{number}", block.initial_state(batch_size))
        return state

    def forward(self, x: Tensor, state: State, active: Tensor | None = None) -> tuple[Tensor, State]:
        """`active` [B]: rows not in it keep their keys and values (default: all are)."""
        if active is None:
            active = torch.ones(x.shape[0], dtype=torch.bool, device=x.device)
        keys = state["blocks.0.attention.keys"]
        places = places_kept(active, heads=keys.shape[1], past=keys.shape[2], length=x.shape[1])
        x = self.enter(x)
        after: State = {}
        for number, block in self.blocks.named_children():
            x, changed = block(x, child_state(state, f"blocks.{number}"), places)
            after |= prefixed(f"blocks.{number}", changed)
        return self.leave(_normalised(x, self.eps)), after


def places_kept(active: Tensor, *, heads: int, past: int, length: int) -> Tensor:
    """Which of the steps [B, heads, past + length] are the next state, as numbers [B * heads * past] of all of them.

    Of an active row the last ones, of another those that were its state before. One copy of the keys then does what a
    slice and a choice between two whole states would do in four.
    """
    row = torch.arange(active.shape[0] * heads, device=active.device).reshape(-1, heads, 1) * (past + length)
    first = torch.where(active, length, 0)[:, None, None]
    return (row + first + torch.arange(past, device=active.device)).flatten()


def _kept(steps: Tensor, places: Tensor) -> Tensor:
    """`places` of steps [B, H, T, D], as [B, H, past, D]."""
    rows, heads, _, width = steps.shape
    return steps.reshape(-1, width).index_select(0, places).reshape(rows, heads, -1, width)


def _normalised(x: Tensor, eps: float) -> Tensor:
    """A root-mean-square norm without its gain."""
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + eps)


def _gain(norm: nn.Module) -> Tensor:
    assert isinstance(norm, RootMeanSquareNorm)
    return norm.weight.detach()


def _eps(norm: nn.Module) -> float:
    assert isinstance(norm, RootMeanSquareNorm)
    return norm.eps


def _scale(scale: LayerScale) -> Tensor:
    return scale.scale.detach()


def _product(weight: Tensor) -> RowProduct:
    """Of a linear layer's weight [out, in], without a bias."""
    return RowProduct(weight.t(), weight.new_zeros(weight.shape[0]))
