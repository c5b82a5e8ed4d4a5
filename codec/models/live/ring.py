"""Attention that writes into its past instead of moving it: for a memory that stays, as live streams have."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor

from codec.errors import CodecError
from codec.models.half import CodecHalf
from codec.models.layers import State, StreamingModule, WindowedAttention
from codec.models.layers.attention import turned

IN_PLACE = ("ring_keys", "ring_values")
"""Last words of the names of states that a step writes to where they are."""
ROWS = "rows"
"""Beside those: which rows of them the batch is."""
MOST_STEPS = 8
"""Steps a chunk may have: what it writes must not fall on what its first step still sees."""


class RingAttention(StreamingModule):
    """The same function as a `WindowedAttention`, with its weights; for chunks of up to `MOST_STEPS` steps.

    x: [B, T, width] -> [B, T, width]. State: `position` [B] int64, steps so far, as states are; and rings, [R, H, size,
    head_dim] for any R rows, that the step writes to: place p % size has the key and value of step p. `rows` [B] int64
    says which of the R are meant.
    A window that is shifted is read and written whole at every step, and its keys turned anew. Here one place is
    written, and keys are turned once, by their position since the stream's beginning: in float64, so that the angle is
    as good after a year as in the first second. A step that fails half-way may be run again: it writes the same places.
    """

    def __init__(self, attention: WindowedAttention) -> None:
        super().__init__()
        if attention.window is None:
            raise CodecError("Live streams need attention with a window: without one a stream's state grows for ever")
        self.num_heads, self.head_dim, self.window = attention.num_heads, attention.head_dim, attention.window
        self.size = attention.window + MOST_STEPS - 1
        self.query, self.key, self.value = attention.query, attention.key, attention.value
        self.output = attention.output
        half = self.head_dim // 2
        exponent = torch.arange(half, device=self.query.weight.device, dtype=torch.float64) / half
        self.register_buffer("frequency", attention.theta**-exponent, persistent=False)
        self.frequency: Tensor

    def initial_state(self, batch_size: int) -> State:
        weight = self.query.weight
        shape = (batch_size, self.num_heads, self.size, self.head_dim)
        return {
            "ring_keys": weight.new_zeros(shape),
            "ring_values": weight.new_zeros(shape),
            "position": torch.zeros(batch_size, dtype=torch.int64, device=weight.device),
        }

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        length = x.shape[1]
        if length > MOST_STEPS:
            raise CodecError(f"Live streams take up to {MOST_STEPS} steps of attention at once, not {length}")
        keys, values, rows = state["ring_keys"], state["ring_values"], state[ROWS]
        at = state["position"][:, None] + torch.arange(length, device=x.device)
        turn = self._turn(at)
        head = torch.arange(self.num_heads, device=x.device)
        places = (rows[:, None, None], head[:, None], (at % self.size)[:, None])
        keys.index_put_(places, turned(self._heads(self.key(x)), *turn))
        values.index_put_(places, self._heads(self.value(x)))
        keys, values = keys.index_select(0, rows), values.index_select(0, rows)
        score = turned(self._heads(self.query(x)), *turn) @ keys.transpose(-1, -2) * self.head_dim**-0.5
        # What a later step of this chunk wrote counts as nearly `size` steps old, which no window reaches.
        age = (at[..., None] - torch.arange(self.size, device=x.device)) % self.size
        seen = (age < self.window) & (age <= at[..., None])
        score = score.masked_fill(~seen[:, None], float("-inf"))
        y = (score.softmax(dim=-1) @ values).transpose(1, 2).flatten(2)
        return self.output(y), {"position": at[:, -1] + 1}

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], self.num_heads, self.head_dim).transpose(1, 2)

    def _turn(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine of the rotary angles at positions [B, T], [B, 1, T, head_dim / 2] each."""
        angle = at[:, None, :, None] * self.frequency
        return angle.cos().float(), angle.sin().float()


def with_rings(half: CodecHalf) -> CodecHalf:
    """A copy of `half` on the same weights, with rings in the place of its windows. Raises CodecError."""
    twin = deepcopy(half, {id(tensor): tensor for tensor in (*half.parameters(), *half.buffers())})
    for module in list(twin.modules()):
        for name, child in module.named_children():
            if isinstance(child, WindowedAttention):
                setattr(module, name, RingAttention(child))
    return twin
