"""The log-mel spectrum of a stream."""

from __future__ import annotations

import torch
from torch import Tensor

from codec.models.layers import State, StreamingModule
from codec.models.layers.conv import require_multiple
from codec.models.spectral import analysis_basis, mel_filters

FLOOR = 1e-5
"""Mel magnitudes below this are heard by nobody; it also keeps digital silence finite."""
CENTRE, SPREAD = -6.0, 3.0
"""Roughly the mean and deviation of log mel magnitudes of speech: what the first convolution sees is of order one."""


class LogMel(StreamingModule):
    """pcm [B, T] -> log-mel [B, num_mels, T / hop]; frame t covers samples up to (t + 1) * hop, none later.

    State `previous`: the last window - hop samples.
    """

    def __init__(self, *, sample_rate: int, window: int, hop: int, num_mels: int) -> None:
        super().__init__()
        self.window, self.hop = window, hop
        self.register_buffer("basis", analysis_basis(window), persistent=False)
        self.register_buffer(
            "filters", mel_filters(num_mels=num_mels, size=window, sample_rate=sample_rate), persistent=False
        )
        self.basis: Tensor
        self.filters: Tensor

    def initial_state(self, batch_size: int) -> State:
        return {"previous": self.filters.new_zeros(batch_size, self.window - self.hop)}

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        require_multiple(x.shape[-1], self.hop, "LogMel")
        samples = torch.cat([state["previous"], x], dim=1)
        blocks = samples.reshape(samples.shape[0], -1, self.hop)
        overlaps = self.window // self.hop
        frames = torch.cat([blocks[:, i : i + x.shape[1] // self.hop] for i in range(overlaps)], dim=-1)
        # In float64: a quiet band beside a loud one is all rounding in float32, and its log then differs between two
        # machines by enough to choose other codes.
        real, imaginary = (frames.double() @ self.basis).chunk(2, dim=-1)
        magnitude = torch.sqrt(real.square() + imaginary.square()).float()
        mel = (magnitude @ self.filters).clamp(min=FLOOR).log()
        return ((mel - CENTRE) / SPREAD).transpose(1, 2), {"previous": samples[:, -(self.window - self.hop) :]}
