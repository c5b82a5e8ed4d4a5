"""The spectra that the encoder sees of a stream."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.models.layers import State, StreamingModule
from codec.models.layers.conv import require_multiple
from codec.models.spectral import analysis_basis, folded, mel_filters

FLOOR = 1e-5
"""Mel magnitudes below this are heard by nobody; it also keeps digital silence finite."""
CENTRE, SPREAD = -6.0, 3.0
"""Roughly the mean and deviation of log mel magnitudes of speech: what the first convolution sees is of order one."""


class Magnitudes(StreamingModule):
    """pcm [B, T] -> magnitudes [B, T / hop, window / 2 + 1]; frame t covers samples up to (t + 1) * hop, none later.

    State `previous`: the last window - hop samples.
    """

    def __init__(self, *, window: int, hop: int) -> None:
        super().__init__()
        self.window, self.hop = window, hop
        self.register_buffer("basis", folded(analysis_basis(window)), persistent=False)
        self.register_buffer("anchor", torch.zeros(()), persistent=False)
        self.basis: Tensor
        self.anchor: Tensor

    def initial_state(self, batch_size: int) -> State:
        return {"previous": self.anchor.new_zeros(batch_size, self.window - self.hop)}

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        require_multiple(x.shape[-1], self.hop, "Magnitudes")
        samples = torch.cat([state["previous"], x], dim=1)
        blocks = samples.reshape(samples.shape[0], -1, self.hop)
        overlaps = self.window // self.hop
        frames = torch.cat([blocks[:, i : i + x.shape[1] // self.hop] for i in range(overlaps)], dim=-1)
        # In float64: a quiet band beside a loud one is all rounding in float32, and its log then differs between two
        # machines by enough to choose other codes. Folded, it takes half the products.
        middle = self.window // 2
        near, far = frames[..., 1 : middle + 1].double(), frames[..., middle:].flip(-1).double()
        cosines, sines = self.basis.chunk(2, dim=-1)
        real, imaginary = (near + far) @ cosines, (near - far) @ sines
        magnitudes = torch.sqrt(real.square() + imaginary.square()).float()
        return magnitudes, {"previous": samples[:, -(self.window - self.hop) :]}


class LogMel(nn.Module):
    """Magnitudes [B, T, bins] -> log-mel [B, num_mels, T], of order one for speech."""

    def __init__(self, *, sample_rate: int, window: int, num_mels: int) -> None:
        super().__init__()
        self.register_buffer(
            "filters", mel_filters(num_mels=num_mels, size=window, sample_rate=sample_rate), persistent=False
        )
        self.filters: Tensor

    def forward(self, magnitudes: Tensor) -> Tensor:
        mel = (magnitudes @ self.filters).clamp(min=FLOOR).log()
        return ((mel - CENTRE) / SPREAD).transpose(1, 2)
