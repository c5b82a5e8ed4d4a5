"""The states of all places, in one piece of memory that stays where it is."""

from __future__ import annotations

from torch import Tensor

from codec.models.half import CodecHalf
from codec.models.layers import State
from codec.models.live.ring import IN_PLACE, ROWS


class StateArena:
    """States of `capacity` rows and of a spare one that belongs to nobody, in tensors that are never replaced.

    A CUDA graph reads and writes fixed addresses, hence the tensors; its width is fixed too, so rows of a step that no
    stream needs are the spare one, named several times over.
    """

    def __init__(self, half: CodecHalf, capacity: int) -> None:
        self.capacity = self.spare = capacity
        self._fresh = half.initial_state(1)
        self._values = {
            name: value.expand(capacity + 1, *value.shape[1:]).clone() for name, value in self._fresh.items()
        }

    @property
    def bytes_per_row(self) -> int:
        """What one stream's state takes."""
        return sum(value.nbytes for value in self._fresh.values())

    def begin(self, rows: Tensor) -> None:
        """Make `rows` [n] int64 those of streams that have not begun."""
        for name, value in self._values.items():
            value.index_copy_(0, rows, self._fresh[name].expand(len(rows), *value.shape[1:]))

    def take(self, rows: Tensor) -> State:
        """The states of `rows` [n] int64: copies, and the rings themselves."""
        state: State = {}
        for name, value in self._values.items():
            if _is_ring(name):
                state |= {name: value, f"{name.rpartition('.')[0]}.{ROWS}": rows}
            else:
                state[name] = value.index_select(0, rows)
        return state

    def put(self, rows: Tensor, state: State) -> None:
        """Store a step's `state` as that of `rows` [n] int64; the rings have theirs."""
        for name, value in self._values.items():
            if not _is_ring(name):
                value.index_copy_(0, rows, state[name])

    def row(self, index: int) -> State:
        """A copy of one row's state, [...] each."""
        return {name: value[index].clone() for name, value in self._values.items()}


def _is_ring(name: str) -> bool:
    return name.rpartition(".")[2] in IN_PLACE
