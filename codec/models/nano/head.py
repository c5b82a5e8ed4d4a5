"""Harmonics and noise, shaped by the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.models.layers import OverlapAdd, State, StreamingModule
from codec.models.layers.streaming import child_state, prefixed
from codec.models.nano.excitation import Harmonics, Noise
from codec.models.spectral import fourier_rows

LOUDEST = 4.0
"""Natural logarithm of the largest gain of a bin: a full-scale voice needs no more."""


class ShapedExcitation(StreamingModule):
    """Shapes [B, T, 3 * bins] and pitch [B, T] in Hz -> pcm [B, T * hop], size - hop samples later.

    A shape is the logarithm of the harmonics' gain in every bin, that of the noise's, and the angle by which the
    harmonics are turned. Excitation and output are windowed with the root of a Hann window. The excitation brings the
    fine structure of a voice, so that the network owes only what changes slowly: DDSP (Engel et al., 2020), the neural
    homomorphic vocoder (Liu et al., 2020).
    """

    def __init__(self, *, size: int, hop: int, sample_rate: int) -> None:
        super().__init__()
        self.size, self.hop, self.bins = size, hop, size // 2 + 1
        self.harmonics = Harmonics(hop=hop, sample_rate=sample_rate)
        self.noise = Noise(hop=hop)
        self.overlap_add = OverlapAdd(size=size, hop=hop)
        window = torch.hann_window(size, dtype=torch.float64).sqrt()
        rows = fourier_rows(size)
        weight = torch.full((self.bins,), 2.0 / size, dtype=torch.float64)
        weight[0] = weight[-1] = 1.0 / size
        # The squared window adds up to size / (2 * hop) over the frames that overlap.
        inverse = rows * weight.repeat(2)[:, None] * window * (2.0 * hop / size)
        self.register_buffer("forwards", (rows * window).t().contiguous().float(), persistent=False)
        self.register_buffer("backwards", inverse.float(), persistent=False)
        self.forwards: Tensor
        self.backwards: Tensor

    def initial_state(self, batch_size: int) -> State:
        past = self.forwards.new_zeros(batch_size, self.size - self.hop)
        return {**super().initial_state(batch_size), "voiced": past, "unvoiced": past.clone()}

    def forward(self, x: Tensor, state: State, pitch: Tensor | None = None) -> tuple[Tensor, State]:
        assert pitch is not None
        with torch.no_grad():
            wave, harmonics = self.harmonics(pitch, child_state(state, "harmonics"))
            hiss, noise = self.noise(pitch, child_state(state, "noise"))
            voiced, past_voiced = self._spectra(wave, state["voiced"])
            unvoiced, past_unvoiced = self._spectra(hiss, state["unvoiced"])
        level, noise_level, angle = x.float().chunk(3, dim=-1)
        gain = level.clamp(max=LOUDEST).exp()
        noise_gain = noise_level.clamp(max=LOUDEST).exp()
        cosine, sine = gain * angle.cos(), gain * angle.sin()
        real, imaginary = voiced.chunk(2, dim=-1)
        noise_real, noise_imaginary = unvoiced.chunk(2, dim=-1)
        shaped = torch.cat(
            [
                real * cosine - imaginary * sine + noise_real * noise_gain,
                real * sine + imaginary * cosine + noise_imaginary * noise_gain,
            ],
            dim=-1,
        )
        pcm, overlap_add = self.overlap_add(shaped @ self.backwards, child_state(state, "overlap_add"))
        after = {
            **prefixed("harmonics", harmonics),
            **prefixed("noise", noise),
            **prefixed("overlap_add", overlap_add),
            "voiced": past_voiced,
            "unvoiced": past_unvoiced,
        }
        return pcm, after

    def _spectra(self, signal: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Real, then imaginary parts of the windowed frames [B, T, 2 * bins], and what the next ones need."""
        signal = torch.cat([past, signal], dim=1)
        blocks = signal.reshape(signal.shape[0], -1, self.hop)
        overlaps = self.size // self.hop
        frames = torch.cat([blocks[:, i : blocks.shape[1] - overlaps + 1 + i] for i in range(overlaps)], dim=-1)
        return frames @ self.forwards, signal[:, -(self.size - self.hop) :]


class HarmonicNoiseHead(StreamingModule):
    """[B, C, T] and pitch [B, T] in Hz -> pcm [B, T * hop]."""

    def __init__(self, channels: int, *, size: int, hop: int, sample_rate: int) -> None:
        super().__init__()
        bins = size // 2 + 1
        self.shape = nn.Linear(channels, 3 * bins)
        nn.init.constant_(self.shape.bias[: 2 * bins], -3.0)
        nn.init.zeros_(self.shape.bias[2 * bins :])
        with torch.no_grad():
            self.shape.weight[2 * bins :] *= 0.1
        self.synthesis = ShapedExcitation(size=size, hop=hop, sample_rate=sample_rate)

    def forward(self, x: Tensor, state: State, pitch: Tensor | None = None) -> tuple[Tensor, State]:
        pcm, after = self.synthesis(self.shape(x.transpose(1, 2)), child_state(state, "synthesis"), pitch)
        return pcm, prefixed("synthesis", after)
