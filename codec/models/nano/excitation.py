"""What is shaped into speech: every harmonic of the pitch, and noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from codec.models.layers import State, StreamingModule

SINGULAR = 1e-6
"""Below this sine of half the phase the quotient of sines is replaced by its limit."""
NOISE_LENGTH = 1 << 17
"""Samples after which the noise repeats: 8 seconds, longer than anybody recognises in hiss."""


def noise_table() -> Tensor:
    """White noise [NOISE_LENGTH] float32, evenly distributed with variance 1, the same on every machine.

    A multiplicative congruential generator with a modulus of 2^31 - 1 (Park and Miller, 1988), written out in integers
    because the noise is a part of the codec: no library's generator may change it.
    """
    modulus, multiplier = (1 << 31) - 1, 48271
    # Powers of the multiplier by doubling: the whole table in 17 steps.
    powers = torch.ones(1, dtype=torch.int64)
    factor = multiplier
    while len(powers) < NOISE_LENGTH:
        powers = torch.cat([powers, powers * factor % modulus])
        factor = factor * factor % modulus
    uniform = (powers * 20_231 % modulus).double() / modulus
    levels = torch.floor(uniform * 255.0) - 127.0
    return (levels / levels.square().mean().sqrt()).float()


class Harmonics(StreamingModule):
    """Pitch [B, T] in Hz at the end of each hop -> all its harmonics up to half the rate, [B, T * hop], variance 1.

    Between the ends of the hops the pitch moves on a straight line. State: `phase` [B, 1] in turns, in float64 so that
    any chunking of a long stream ends at the same phase; `pitch` [B, 1] at the end of the last hop, zero before the
    first. The sum of K cosines is a quotient of two sines: (sin((2K + 1) x / 2) / sin(x / 2) - 1) / 2.
    """

    def __init__(self, *, hop: int, sample_rate: int) -> None:
        super().__init__()
        self.hop, self.sample_rate = hop, sample_rate
        ramp = torch.arange(1, hop + 1, dtype=torch.float64) / hop
        # Tables rather than factors: the exporter passes a lone number through float32.
        seconds = hop / sample_rate
        self.register_buffer("ramp", ramp, persistent=False)
        self.register_buffer("level", seconds * ramp, persistent=False)
        self.register_buffer("rise", 0.5 * seconds * ramp.square(), persistent=False)
        self.ramp: Tensor
        self.level: Tensor
        self.rise: Tensor

    def initial_state(self, batch_size: int) -> State:
        zero = self.ramp.new_zeros(batch_size, 1)
        return {"phase": zero, "pitch": zero.float()}

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        before = torch.where(state["pitch"] > 0.0, state["pitch"], x[:, :1])
        end = x.double()
        start = torch.cat([before, x[:, :-1]], dim=1).double()
        slope = end - start
        # The integral of the line, in closed form: turns since the beginning of the hop.
        inside = start[..., None] * self.level + slope[..., None] * self.rise
        whole = torch.cumsum(inside[..., -1], dim=1)
        begin = state["phase"] + whole - inside[..., -1]
        turns = (begin[..., None] + inside).flatten(1)
        pitch = (start[..., None] + slope[..., None] * self.ramp).flatten(1)
        count = torch.floor(0.5 * self.sample_rate / pitch)
        # Whole turns are taken off in float64, as the nearest: what is left of a phase is then exact near its zero,
        # where both sines are small.
        turns = turns - torch.round(turns)
        many = (count + 0.5) * turns
        below = torch.sin(math.pi * turns.float())
        above = torch.sin(2.0 * math.pi * (many - torch.round(many)).float())
        singular = below.abs() < SINGULAR
        count = count.float()
        wave = torch.where(singular, count, 0.5 * above / torch.where(singular, 1.0, below) - 0.5)
        after = state["phase"] + whole[:, -1:]
        return wave * torch.sqrt(2.0 / count), {"phase": after - torch.floor(after), "pitch": x[:, -1:]}


class Noise(StreamingModule):
    """White noise of variance 1 for hops [B, T]: [B, T * hop], out of a table.

    State `position` [B, 1] int64: hops since the beginning, modulo the table.
    """

    def __init__(self, *, hop: int) -> None:
        super().__init__()
        self.hops = NOISE_LENGTH // hop
        self.register_buffer("table", noise_table()[: self.hops * hop].reshape(self.hops, hop), persistent=False)
        self.table: Tensor

    def initial_state(self, batch_size: int) -> State:
        return {"position": torch.zeros(batch_size, 1, dtype=torch.int64, device=self.table.device)}

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        index = torch.remainder(state["position"] + torch.arange(x.shape[1], device=x.device), self.hops)
        return self.table[index].flatten(1), {"position": torch.remainder(state["position"] + x.shape[1], self.hops)}
