"""The encoder's transformer: one product for query, key and value, and caches that are moved once a step.

Against `codec.models.layers.WindowedAttention` the cached keys are rotated already, at the position of their step in
the stream, and not again at every step. Positions are whole numbers and angles are computed in float64, which a stream
of years does not exhaust. What a row has not seen since its beginning is masked by its position, so that neither a
reset nor a row that is not active costs a pass over the caches: the oldest entries are cut off by the same gather that
would leave them in place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from codec.models.layers import State, StreamingModule, StreamingSequential, child_state, prefixed
from codec.models.layers.attention import turned
from codec.models.qwen3.transformer import GeluNetwork, TransformerBlock
from export.rewrite.rows import RowProduct, layer_norm

POSITION = "position"
"""State int64 [B]: steps that a row has had since its beginning."""


@dataclass(frozen=True, slots=True)
class Step:
    """What all blocks share in a step of T steps: B rows, H heads, L = window - 1 + T keys to see."""

    cosine: Tensor
    sine: Tensor
    """[B, 1, T, head_dim / 2], of the new steps' angles."""
    mask: Tensor
    """[B, 1, T, L]: 0 where a step sees a key, else minus infinity."""
    kept: Tensor
    """[B, H, window - 1]: places in [B * H * L] of the entries that the cache has afterwards."""


class BlockRows(StreamingModule):
    """A `TransformerBlock` with a GELU network, the gains of its residual branches folded into the products."""

    def __init__(self, block: TransformerBlock) -> None:
        super().__init__()
        attention, network = block.attention, block.network
        biased = any(name.endswith(".bias") for name, _ in attention.named_parameters())
        if not isinstance(network, GeluNetwork) or attention.window is None or biased:
            raise TypeError("only blocks with a GELU network and a window, without biases, are known here")
        self.num_heads, self.head_dim, self.past = attention.num_heads, attention.head_dim, attention.window - 1
        query = attention.query.weight * self.head_dim**-0.5
        self.enter = _product(torch.cat([query, attention.key.weight, attention.value.weight]))
        self.leave = _product(attention.output.weight * block.attention_scale.scale[:, None])
        self.expand = _product(network.expand.weight)
        self.project = _product(network.project.weight * block.network_scale.scale[:, None])
        assert isinstance(block.attention_norm, nn.LayerNorm)
        assert isinstance(block.network_norm, nn.LayerNorm)
        self.attention_norm, self.network_norm = block.attention_norm, block.network_norm

    def initial_state(self, batch_size: int) -> State:
        shape = (batch_size, self.num_heads, self.past, self.head_dim)
        return {name: self.enter.weight.new_zeros(shape) for name in ("attention.keys", "attention.values")}

    def step_with(self, x: Tensor, state: State, shared: Step) -> tuple[Tensor, State]:
        """x [B, T, C] and the caches to those after the step."""
        y, after = self._attend(layer_norm(self.attention_norm, x), child_state(state, "attention"), shared)
        x = x + y
        y = self.project(functional.gelu(self.expand(layer_norm(self.network_norm, x))))
        return x + y, prefixed("attention", after)

    def _attend(self, x: Tensor, state: State, shared: Step) -> tuple[Tensor, State]:
        batch, length, heads = x.shape[0], x.shape[1], self.num_heads
        parts = self.enter(x).reshape(batch, length, 3 * heads, self.head_dim).transpose(1, 2)
        values = parts[:, 2 * heads :]
        query, keys = turned(parts[:, : 2 * heads], shared.cosine, shared.sine).chunk(2, dim=1)
        keys = torch.cat([state["keys"], keys], dim=2)
        values = torch.cat([state["values"], values], dim=2)
        weights = (query @ keys.transpose(-1, -2) + shared.mask).softmax(dim=-1)
        y = self.leave((weights @ values).transpose(1, 2).flatten(2))
        return y, {"keys": self._kept(keys, shared), "values": self._kept(values, shared)}

    def _kept(self, entries: Tensor, shared: Step) -> Tensor:
        # A look-up rather than an index_select: in the shape of the state at once, without a copy into it.
        return functional.embedding(shared.kept, entries.reshape(-1, self.head_dim))


class TransformerRows(StreamingModule):
    """The blocks of a transformer over rows, with one position for all of them. It looks after its rows itself."""

    def __init__(self, blocks: StreamingSequential) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        for block in blocks.children():
            assert isinstance(block, TransformerBlock)
            self.blocks.append(BlockRows(block))
            self.theta = block.attention.theta
        first = self._blocks()[0]
        self.num_heads, self.head_dim, self.past = first.num_heads, first.head_dim, first.past

    def _blocks(self) -> list[BlockRows]:
        return [block for block in self.blocks if isinstance(block, BlockRows)]

    def initial_state(self, batch_size: int) -> State:
        state: State = {POSITION: torch.zeros(batch_size, dtype=torch.int64)}
        for number, block in enumerate(self._blocks()):
            state |= prefixed(str(number), block.initial_state(batch_size))
        return state

    def step(self, x: Tensor, state: State, *, active: Tensor, reset: Tensor) -> tuple[Tensor, State]:
        """x [B, T, C] -> [B, T, C], and the state after the step; rows as `StreamingModule.step` has them."""
        position = torch.where(reset, 0, state[POSITION])
        length = x.shape[1]
        shared = self._share(position, length, active)
        after = {POSITION: position + torch.where(active, length, 0)}
        for number, block in enumerate(self._blocks()):
            x, changed = block.step_with(x, child_state(state, str(number)), shared)
            after |= prefixed(str(number), changed)
        return x, after

    def _share(self, position: Tensor, length: int, active: Tensor) -> Step:
        half = self.head_dim // 2
        frequency = self.theta ** (-torch.arange(half, dtype=torch.float64) / half)
        angle = (position[:, None] + torch.arange(length)).double()[..., None] * frequency
        places = self.past + length
        at = torch.arange(self.past, self.past + length)[:, None]
        seen = torch.arange(places)[None, :]
        in_window = (seen <= at) & (seen >= at - self.past)
        real = seen >= (self.past - position)[:, None, None]
        mask = torch.where(in_window & real, 0.0, float("-inf"))[:, None]
        moved = torch.where(active, length, 0)[:, None, None]
        heads = torch.arange(position.shape[0] * self.num_heads).reshape(-1, self.num_heads, 1) * places
        kept = heads + moved + torch.arange(self.past)
        return Step(angle.cos().float()[:, None], angle.sin().float()[:, None], mask, kept)


def _product(weight: Tensor) -> RowProduct:
    """Of a linear layer's weight [out, in], without a bias."""
    return RowProduct(weight.t(), weight.new_zeros(weight.shape[0]))
