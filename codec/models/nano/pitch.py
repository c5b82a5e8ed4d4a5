"""The pitch of speech: told in the encoder, carried by a layer of codes of its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from codec.models.layers import State, StreamingModule, StreamingSequential
from codec.models.layers.streaming import child_state, prefixed
from codec.models.nano.blocks import ConvNeXtBlock
from codec.models.nano.config import PitchConfig

QUIET = 1e-3
"""Magnitudes of frames as quiet as this (about -60 dBFS) are noise to the tracker."""
SHARPNESS = 8.0
NEIGHBOURHOOD_CENTS = 60.0


class PitchFeatures(nn.Module):
    """Magnitudes [B, T, bins] -> what periodicity looks like [B, T, 2 * lags + low_bins], whatever the level.

    The autocorrelation at log-spaced lags, of the spectrum and of its square root (which a strong formant does not
    rule), and the log of the lowest bins.
    """

    def __init__(self, config: PitchConfig, *, window: int, sample_rate: int) -> None:
        super().__init__()
        self.low_bins = config.low_bins
        frequencies = torch.logspace(
            math.log2(config.highest_hz), math.log2(config.lowest_hz), config.lags, base=2.0, dtype=torch.float64
        )
        turn = torch.arange(window // 2 + 1, dtype=torch.float64)[:, None] * (sample_rate / frequencies / window)
        weight = torch.ones(window // 2 + 1, 1, dtype=torch.float64)
        weight[0] = weight[-1] = 0.5
        self.register_buffer("cosines", (weight * torch.cos(2 * math.pi * turn)).float(), persistent=False)
        self.cosines: Tensor

    def forward(self, magnitudes: Tensor) -> Tensor:
        power = magnitudes.square()
        by_power = (power / (power.sum(dim=-1, keepdim=True) + QUIET**2)) @ self.cosines
        by_magnitude = (magnitudes / (magnitudes.sum(dim=-1, keepdim=True) + QUIET)) @ self.cosines
        # A minimum, not a sum: the exporter's optimiser takes additions this small for none.
        low = power[..., : self.low_bins].clamp(min=QUIET**2 / 100).log()
        low = (low - low.mean(dim=-1, keepdim=True)) / 3.0
        return torch.cat([by_power, 4.0 * by_magnitude, low], dim=-1)


class PitchTracker(StreamingModule):
    """Magnitudes [B, T, bins] -> class scores [B, T, classes] and voicing [B, T] as a logit, `lookahead` samples ago.

    Pitch as classes of 25 cents: Kim et al., "CREPE", 2018.
    """

    def __init__(self, config: PitchConfig, *, window: int, sample_rate: int) -> None:
        super().__init__()
        self.features = PitchFeatures(config, window=window, sample_rate=sample_rate)
        self.enter = nn.Linear(2 * config.lags + config.low_bins, config.width)
        self.layers = StreamingSequential(
            *(
                ConvNeXtBlock(config.width, kernel_size=config.kernel_size, expansion=config.expansion)
                for _ in range(config.depth)
            )
        )
        self.classify = nn.Linear(config.width, config.classes + 1)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """The last of the classes + 1 outputs is the voicing."""
        entered = self.enter(self.features(x)).transpose(1, 2)
        y, layers = self.layers(entered, child_state(state, "layers"))
        return self.classify(y.transpose(1, 2)), prefixed("layers", layers)


class PitchReading(nn.Module):
    """Outputs of the tracker [B, T, classes + 1] -> octaves above the lowest pitch [B, T] and voicing 0 … 1 [B, T].

    No argmax: two engines that differ in the last bit must read nearly the same. The sharpened mean finds the class,
    the mean of its neighbourhood the place between two classes.
    """

    def __init__(self, config: PitchConfig) -> None:
        super().__init__()
        octaves = torch.arange(config.classes) * (config.cents / 1200.0)
        self.register_buffer("octaves", octaves, persistent=False)
        self.octaves: Tensor

    def forward(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        scores, voicing = outputs[..., :-1], outputs[..., -1]
        sharp = functional.softmax(SHARPNESS * scores, dim=-1)
        centre = (sharp * self.octaves).sum(dim=-1, keepdim=True)
        near = torch.exp(-0.5 * ((self.octaves - centre) * (1200.0 / NEIGHBOURHOOD_CENTS)).square())
        chances = functional.softmax(scores, dim=-1).clamp(min=1e-6) * near
        octave = (chances * self.octaves).sum(dim=-1) / chances.sum(dim=-1)
        return octave, torch.sigmoid(voicing)


def nearest_contour(octaves: Tensor, weights: Tensor, book: Tensor) -> Tensor:
    """Index [...] of the contour of `book` [size, hops] nearest to octaves [..., hops] where the weights are."""
    closeness = (weights * octaves) @ book.t() - 0.5 * weights @ book.square().t()
    return closeness.argmax(dim=-1)
