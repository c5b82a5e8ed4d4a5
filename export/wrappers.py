"""Modules whose inputs and outputs are tensors only, state included: what an exporter can trace."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from codec.models.half import CodecHalf
from codec.models.layers import State
from export.rewrite.masked import MaskedHalf
from export.rewrite.select import select

Half = Literal["encoder", "decoder"]


class StatefulGraph(nn.Module):
    """One half of a codec as a function (data, active, reset, *states) -> (result, [latents,] *new states).

    `state_names` gives the order. Every state is zero at the start of a stream (a flag or a count says where zeros are
    not yet real), which lets a reset be a mask instead of a second set of inputs.
    """

    def __init__(self, half: CodecHalf) -> None:
        super().__init__()
        self.side = half
        self.initial = half.initial_state(1)
        self.state_names = tuple(self.initial)
        for name, value in self.initial.items():
            if bool(value.any()):
                raise ValueError(f"the state {name} does not begin with zeros")

    def forward(self, data: Tensor, active: Tensor, reset: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Shapes: DESIGN section 3; `active` and `reset` are bool [B]."""
        before: State = dict(zip(self.state_names, states, strict=True))
        if isinstance(self.side, MaskedHalf):
            outputs, kept = self.side.masked(data, before, active=active, reset=reset)
            return (*outputs, *(kept[name] for name in self.state_names))
        begun = select(~reset, before, {name: value.new_zeros(()) for name, value in before.items()})
        outputs, after = self.side(data, begun)
        kept = select(active, after, begun)
        return (*outputs, *(kept[name] for name in self.state_names))
