"""Choosing between states row by row, in operators that ONNX Runtime has."""

from __future__ import annotations

import torch
from torch import Tensor

from codec.models.layers import State, select_rows


def select(mask: Tensor, chosen: State, other: State) -> State:
    """`select_rows`, with flags by logic: ONNX Runtime has no Where for bool."""
    flags = [name for name, value in chosen.items() if value.dtype == torch.bool]
    result = select_rows(mask, {name: value for name, value in chosen.items() if name not in flags}, other)
    for name in flags:
        rows = mask.reshape([-1] + [1] * (chosen[name].dim() - 1))
        result[name] = (rows & chosen[name]) | (~rows & other[name])
    return result
