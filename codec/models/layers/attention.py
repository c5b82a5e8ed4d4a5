"""Self-attention over a sliding window of the past, with rotary positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.models.layers.streaming import State, StreamingModule


def rotate(x: Tensor, *, first: int, theta: float) -> Tensor:
    """Rotary position embedding (Su et al., 2021, halves convention) of x [B, H, T, D] at positions from `first`"""
    half = x.shape[-1] // 2
    frequency = theta ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    position = torch.arange(first, first + x.shape[-2], device=x.device, dtype=torch.float32)
    angle = position[:, None] * frequency
    return turned(x, angle.cos(), angle.sin())


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x [..., D] by angles whose cosines and sines are [..., D / 2]: entry i of its first half with i of its second."""
    half = x.shape[-1] // 2
    low, high = x[..., :half], x[..., half:]
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)


class WindowedAttention(StreamingModule):
    """Multi-head causal attention that sees the current frame and the `window` - 1 before it.

    x: [B, T, width] -> [B, T, width]. `head_dim` need not be width / num_heads.
    State: `keys`, `values` [B, H, window - 1, head_dim], the newest last; `valid` [B] int64, how many of them are real.
    Keys are kept un-rotated and turned inside the window at each step: only differences of position count, so a stream
    may run for ever without an absolute position, and every row of a batch may stand at another one.

    With `window` None it sees everything since the stream's beginning, and `keys` and `values` grow with every chunk:
    for comparisons over a bounded time, never for a live stream.
    """

    def __init__(
        self,
        width: int,
        *,
        num_heads: int,
        head_dim: int,
        window: int | None,
        theta: float = 10_000.0,
        bias: bool = False,
    ) -> None:
        super().__init__()
        if window is not None and window < 2:
            raise ValueError(f"a window of {window} leaves attention nothing to attend to")
        self.num_heads, self.head_dim, self.window, self.theta = num_heads, head_dim, window, theta
        inner = num_heads * head_dim
        self.query = nn.Linear(width, inner, bias=bias)
        self.key = nn.Linear(width, inner, bias=bias)
        self.value = nn.Linear(width, inner, bias=bias)
        self.output = nn.Linear(inner, width, bias=bias)

    def initial_state(self, batch_size: int) -> State:
        weight = self.query.weight
        past = 0 if self.window is None else self.window - 1
        shape = (batch_size, self.num_heads, past, self.head_dim)
        return {
            "keys": weight.new_zeros(shape),
            "values": weight.new_zeros(shape),
            "valid": torch.zeros(batch_size, dtype=torch.int64, device=weight.device),
        }

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], self.num_heads, self.head_dim).transpose(1, 2)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        if self.window is None:
            state = _without_unseen(state)
        past = state["keys"].shape[2] if self.window is None else self.window - 1
        length = x.shape[1]
        keys = torch.cat([state["keys"], self._heads(self.key(x))], dim=2)
        values = torch.cat([state["values"], self._heads(self.value(x))], dim=2)
        query = rotate(self._heads(self.query(x)), first=past, theta=self.theta)
        score = query @ rotate(keys, first=0, theta=self.theta).transpose(-1, -2) * self.head_dim**-0.5
        at = torch.arange(past, past + length, device=x.device)[:, None]
        seen = torch.arange(past + length, device=x.device)[None, :]
        in_window = seen <= at if self.window is None else (seen <= at) & (seen > at - self.window)
        real = seen >= (past - state["valid"])[:, None, None]
        score = score.masked_fill(~(in_window & real)[:, None], float("-inf"))
        y = self.output((score.softmax(dim=-1) @ values).transpose(1, 2).flatten(2))
        valid = state["valid"] + length
        if self.window is None:
            return y, {"keys": keys, "values": values, "valid": valid}
        after = {"keys": keys[:, :, -past:], "values": values[:, :, -past:], "valid": torch.clamp(valid, max=past)}
        return y, after


def _without_unseen(state: State) -> State:
    """A growing state without the oldest places, where no row has anything: rows that were reset leave them behind."""
    unseen = state["keys"].shape[2] - int(state["valid"].max())
    return {
        "keys": state["keys"][:, :, unseen:],
        "values": state["values"][:, :, unseen:],
        "valid": state["valid"],
    }


def attend_to_everything(module: nn.Module) -> None:
    """Take the window away from every attention in `module`, before any stream of it begins."""
    for layer in module.modules():
        if isinstance(layer, WindowedAttention):
            layer.window = None
