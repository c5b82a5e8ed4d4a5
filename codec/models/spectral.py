"""Fixed matrices of spectral analysis: real Fourier bases and mel filters."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def fourier_tables(size: int) -> tuple[Tensor, Tensor]:
    """Cosines and negated sines of 2 pi i / size for i = 0 … size - 1, float64.

    Every Fourier matrix is looked up here, in torch and in the exported file alike: entries that differ in their last
    bit would move the log of a quiet band beside a loud one.
    """
    angles = torch.arange(size, dtype=torch.float64) * (2 * math.pi / size)
    return angles.cos(), -angles.sin()


def analysis_factors(size: int) -> tuple[Tensor, Tensor]:
    """What the plain Fourier matrix is weighted with for analysis: per sample [size], per real and imaginary bin.

    Window: periodic Hann. Scaled so that white noise of deviation s has magnitudes around s. float64.
    """
    window = torch.hann_window(size, dtype=torch.float64)
    return window / window.square().sum().sqrt(), torch.ones(2 * (size // 2 + 1), dtype=torch.float64)


def fourier_rows(size: int) -> Tensor:
    """Cosines, then negated sines, of every bin: [2 * bins, size] float64."""
    cosines, sines = fourier_tables(size)
    turn = torch.remainder(torch.arange(size // 2 + 1)[:, None] * torch.arange(size)[None, :], size)
    return torch.cat([cosines[turn], sines[turn]])


def analysis_basis(size: int) -> Tensor:
    """Matrix [size, 2 * bins] float64 from a frame to the real, then the imaginary parts of its windowed spectrum."""
    samples, bins = analysis_factors(size)
    return (fourier_rows(size).t() * bins * samples[:, None]).contiguous()


def folded(weights: Tensor) -> Tensor:
    """What multiplies the samples of a frame [size, …], for a frame folded about its middle: [size / 2, …].

    Of a window that is symmetric about sample size / 2 and zero at sample 0: sample size / 2 + i is then weighted as
    sample size / 2 - i, the cosines times their sum and the sines times their difference (the middle one meets itself).
    """
    half = weights[1 : len(weights) // 2 + 1].clone()
    half[-1] *= 0.5
    return half


def mel_filters(*, num_mels: int, size: int, sample_rate: int) -> Tensor:
    """Triangular filters [bins, num_mels] on the mel scale m = 2595 log10(1 + f / 700), each of unit area."""

    def mel(frequency: float) -> float:
        return 2595.0 * math.log10(1.0 + frequency / 700.0)

    edges = 700.0 * (10.0 ** (torch.linspace(0.0, mel(sample_rate / 2), num_mels + 2) / 2595.0) - 1.0)
    frequency = torch.linspace(0.0, sample_rate / 2, size // 2 + 1)[:, None]
    rising = (frequency - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequency) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp(min=0.0)
    # A filter narrower than the distance of two bins may catch none: it then takes the nearest bin.
    centre = (frequency - edges[1:-1]).abs().argmin(dim=0)
    empty = filters.sum(dim=0) == 0
    filters[centre[empty], empty.nonzero().squeeze(1)] = 1.0
    return filters / filters.sum(dim=0)


def third_octave_bands(*, count: int, lowest_hz: float, size: int, sample_rate: int) -> Tensor:
    """Which bins [bins, count] belong to third-octave bands whose centres begin at `lowest_hz`."""
    frequency = torch.linspace(0.0, sample_rate / 2, size // 2 + 1)[:, None]
    centres = lowest_hz * 2.0 ** (torch.arange(count) / 3)
    inside = (frequency >= centres * 2 ** (-1 / 6)) & (frequency < centres * 2 ** (1 / 6))
    return inside.float()
