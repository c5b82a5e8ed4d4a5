"""State as a value: what a streaming layer needs to know of the past, and how rows of a batch are kept apart."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

State: TypeAlias = dict[str, Tensor]
"""Names to tensors, batch first. Names are the path of the layer, then what it holds ("layers.0.mix.previous")."""


def prefixed(name: str, state: State) -> State:
    """The same state under the name that a parent gives its child."""
    return {f"{name}.{key}": value for key, value in state.items()}


def child_state(state: State, name: str) -> State:
    """The part of a parent's state that belongs to the child `name`."""
    start = name + "."
    return {key[len(start) :]: value for key, value in state.items() if key.startswith(start)}


def select_rows(mask: Tensor, chosen: State, other: State) -> State:
    """Row by row: `chosen` where `mask` [B] bool is true, `other` elsewhere, bit for bit.

    Attention without a window has a state that grows: the shorter one is filled up with zeros on the old side.
    """
    return {
        key: torch.where(mask.reshape([-1] + [1] * (value.dim() - 1)), *_same_length(value, other[key]))
        for key, value in chosen.items()
    }


def _same_length(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Both with as many steps as the longer one; only [B, H, T, D] ever differ. A lone number fits everything."""
    if min(one.dim(), other.dim()) < 4 or one.shape[2] == other.shape[2]:
        return one, other
    longest = max(one.shape[2], other.shape[2])
    one, other = (functional.pad(value, (0, 0, longest - value.shape[2], 0)) for value in (one, other))
    return one, other


class StreamingModule(nn.Module):
    """A module with explicit state. Subclasses with state of their own override `initial_state`."""

    def initial_state(self, batch_size: int) -> State:
        """The state of `batch_size` streams before their first sample; by default that of the streaming children."""
        state: State = {}
        for name, child in self.named_children():
            if isinstance(child, StreamingModule):
                state.update(prefixed(name, child.initial_state(batch_size)))
        return state

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for this chunk, and the state after it. Shapes: each layer's own docstring."""
        raise NotImplementedError

    def offline(self, x: Tensor) -> Tensor:
        """One pass over whole recordings `x`, from the beginning of each."""
        return self(x, self.initial_state(x.shape[0]))[0]  # type: ignore[no-any-return]

    def step(self, x: Tensor, state: State, *, active: Tensor, reset: Tensor) -> tuple[Tensor, State]:
        """One chunk of a batch whose rows live their own lives.

        active: [B] bool; the state of an inactive row comes back unchanged, bit for bit, and its output means nothing.
        reset: [B] bool; these rows begin anew before the chunk.
        """
        fresh = self.initial_state(x.shape[0])
        state = select_rows(reset, fresh, state)
        y, after = self(x, state)
        return y, select_rows(active, after, state)


class StreamingSequential(StreamingModule):
    """Layers one behind another; those without state are called with the signal alone."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        for index, layer in enumerate(layers):
            self.add_module(str(index), layer)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        after: State = {}
        for name, layer in self.named_children():
            if isinstance(layer, StreamingModule):
                x, changed = layer(x, child_state(state, name))
                after.update(prefixed(name, changed))
            else:
                x = layer(x)
        return x, after
