"""Halves that keep the rows of a batch apart themselves."""

from __future__ import annotations

from torch import Tensor

from codec.models.half import CodecHalf
from codec.models.layers import State


class MaskedHalf(CodecHalf):
    """A half that keeps its rows apart itself, where it can do so for less than a choice between whole states."""

    def masked(self, data: Tensor, state: State, *, active: Tensor, reset: Tensor) -> tuple[tuple[Tensor, ...], State]:
        """As `forward`, but rows of `reset` [B] begin anew, and the state of rows not `active` [B] stays as it is."""
        raise NotImplementedError
