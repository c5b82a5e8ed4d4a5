from __future__ import annotations

import torch

from codec.models.spectral import analysis_basis, folded, fourier_rows, mel_filters, third_octave_bands


def test_the_analysis_matrix_is_the_fourier_transform_of_a_windowed_frame() -> None:
    frame = torch.randn(64, dtype=torch.float64)
    window = torch.hann_window(64, dtype=torch.float64)
    expected = torch.fft.rfft(frame * window) / window.square().sum().sqrt()
    torch.testing.assert_close(frame @ analysis_basis(64), torch.cat([expected.real, expected.imag]))


def test_the_rows_are_those_of_the_fourier_transform() -> None:
    signal = torch.randn(64, dtype=torch.float64)
    expected = torch.fft.rfft(signal)
    torch.testing.assert_close(fourier_rows(64) @ signal, torch.cat([expected.real, expected.imag]))


def test_a_frame_folded_about_its_middle_has_the_same_spectrum() -> None:
    frame = torch.randn(64, dtype=torch.float64)
    cosines, sines = folded(analysis_basis(64)).chunk(2, dim=-1)
    near, far = frame[1:33], frame[32:].flip(0)
    both = torch.cat([(near + far) @ cosines, (near - far) @ sines])
    torch.testing.assert_close(both, frame @ analysis_basis(64))


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


def test_third_octave_bands_follow_each_other_without_overlap() -> None:
    bands = third_octave_bands(count=15, lowest_hz=150.0, size=512, sample_rate=16_000)
    assert bands.shape == (257, 15)
    assert bands.sum(dim=1).max() == 1.0
    edges = bands.sum(dim=1).nonzero().flatten() * (16_000 / 512)
    assert 150.0 / 2 ** (1 / 6) <= float(edges[0]) <= 150.0 * 2 ** (1 / 6)
    assert 150.0 * 2 ** (14 / 3 - 1 / 6) <= float(edges[-1]) <= 150.0 * 2 ** (14 / 3 + 1 / 6)
    # No bin between them is left out.
    assert len(edges) == round(float(edges[-1] - edges[0]) / 31.25) + 1
