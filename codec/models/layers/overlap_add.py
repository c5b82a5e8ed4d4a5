"""Overlap-add of windowed frames; the open sums are the state."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from codec.models.layers.streaming import State, StreamingModule


class OverlapAdd(StreamingModule):
    """Adds frames [B, T, size], `hop` apart, into a signal [B, T * hop].

    Sample n is emitted once every frame that covers it has come, so the signal lags the frames by size - hop samples.
    State `partial`: [B, size - hop], sums that later frames add to. `size` is a multiple of `hop`.
    """

    def __init__(self, *, size: int, hop: int) -> None:
        super().__init__()
        if size % hop or size <= hop:
            raise ValueError(f"the frame size must be a multiple of the hop, at least twice it; got {size} and {hop}")
        self.size, self.hop, self.overlaps = size, hop, size // hop
        self.register_buffer("anchor", torch.zeros(()), persistent=False)
        self.anchor: Tensor

    def initial_state(self, batch_size: int) -> State:
        return {"partial": self.anchor.new_zeros(batch_size, self.size - self.hop)}

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        later = self.overlaps - 1
        blocks = x.reshape(x.shape[0], x.shape[1], self.overlaps, self.hop)
        partial = state["partial"].reshape(-1, later, self.hop)
        total = functional.pad(partial, (0, 0, 0, x.shape[1]))
        for shift in range(self.overlaps):
            total = total + functional.pad(blocks[:, :, shift], (0, 0, shift, later - shift))
        return total[:, :-later].flatten(1), {"partial": total[:, -later:].flatten(1)}
