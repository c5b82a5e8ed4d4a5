from __future__ import annotations

import torch

from codec.models.spectral import analysis_basis, mel_filters, synthesis_basis


def test_the_analysis_matrix_is_the_fourier_transform_of_a_windowed_frame() -> None:
    frame = torch.randn(64, dtype=torch.float64)
    window = torch.hann_window(64, dtype=torch.float64)
    expected = torch.fft.rfft(frame * window) / window.square().sum().sqrt()
    torch.testing.assert_close(frame @ analysis_basis(64), torch.cat([expected.real, expected.imag]))


def test_synthesis_undoes_analysis_under_overlap_add() -> None:
    size, hop = 64, 16
    signal = torch.randn(20 * hop, dtype=torch.float64)
    frames = signal.unfold(0, size, hop)
    back = torch.zeros_like(signal)
    for index, frame in enumerate((frames @ analysis_basis(size)) @ synthesis_basis(size, hop).double()):
        back[index * hop : index * hop + size] += frame
    inner = slice(size, -size)
    torch.testing.assert_close(back[inner], signal[inner], atol=1e-6, rtol=0)


def test_noise_of_deviation_s_has_magnitudes_around_s() -> None:
    torch.manual_seed(0)
    real, imaginary = (0.02 * torch.randn(500, 640, dtype=torch.float64) @ analysis_basis(640)).chunk(2, dim=-1)
    assert abs(float((real.square() + imaginary.square()).mean().sqrt()) / 0.02 - 1) < 0.02


def test_every_mel_filter_has_unit_area_and_catches_something() -> None:
    for size, mels in ((2048, 128), (128, 20), (256, 80)):
        filters = mel_filters(num_mels=mels, size=size, sample_rate=16_000)
        assert filters.shape == (size // 2 + 1, mels)
        torch.testing.assert_close(filters.sum(dim=0), torch.ones(mels))
        assert (filters >= 0).all()
