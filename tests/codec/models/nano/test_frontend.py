from __future__ import annotations

import pytest
import torch

from codec.errors import FrameSizeError
from codec.models.nano.frontend import CENTRE, FLOOR, SPREAD, LogMel, Magnitudes

RATE, WINDOW, HOP = 16_000, 640, 160


def test_a_sine_is_in_its_bin_from_the_hop_that_it_begins_in() -> None:
    sine = torch.sin(torch.arange(20 * HOP, dtype=torch.float64) * (2 * torch.pi * 1000 / RATE)).float()[None]
    magnitudes = Magnitudes(window=WINDOW, hop=HOP).offline(sine)
    assert magnitudes.shape == (1, 20, WINDOW // 2 + 1)
    assert magnitudes.argmax(dim=-1)[0].tolist() == [40] * 20
    assert magnitudes[0, 4:, 40].max() / magnitudes[0, 4:, 40].min() < 1.001  # steady once it fills the window
    assert magnitudes[0, 10, 50:].max() < 1e-6 * magnitudes[0, 10, 40]


def test_a_quiet_band_beside_a_loud_one_is_more_than_rounding() -> None:
    """Another machine must find the same magnitudes: hiss at -120 dBFS beside a sine at full scale."""
    torch.manual_seed(1)
    time = torch.arange(WINDOW, dtype=torch.float64) / RATE
    frame = (torch.sin(2 * torch.pi * 1003.7 * time) + 1e-6 * torch.randn(WINDOW)).float()
    window = torch.hann_window(WINDOW, dtype=torch.float64)
    exact = torch.fft.rfft(frame.double() * window).abs() / window.square().sum().sqrt()
    magnitudes = Magnitudes(window=WINDOW, hop=HOP).offline(frame[None])[0, -1].double()
    torch.testing.assert_close(magnitudes[100:], exact[100:], atol=0, rtol=1e-5)
    in_float32 = torch.fft.rfft(frame * window.float()).abs() / window.square().sum().sqrt().float()
    assert ((in_float32.double() - exact) / exact)[100:].abs().max() > 1e-3


def test_magnitudes_follow_the_level_to_the_last_bit() -> None:
    torch.manual_seed(0)
    noise = 0.1 * torch.randn(1, 10 * HOP)
    frontend = Magnitudes(window=WINDOW, hop=HOP)
    assert torch.equal(frontend.offline(noise / 1024), frontend.offline(noise) / 1024)


def test_a_remainder_of_a_hop_is_refused() -> None:
    frontend = Magnitudes(window=WINDOW, hop=HOP)
    with pytest.raises(FrameSizeError, match="multiples"):
        frontend.offline(torch.zeros(1, HOP + 1))


def test_log_mel_is_of_order_one_for_speech_levels_and_finite_for_digital_silence() -> None:
    mel = LogMel(sample_rate=RATE, window=WINDOW, num_mels=80)
    frontend = Magnitudes(window=WINDOW, hop=HOP)
    torch.manual_seed(0)
    for deviation in (0.2, 0.002):
        seen = mel(frontend.offline(deviation * torch.randn(1, 40 * HOP)))
        assert seen.shape == (1, 80, 40)
        assert seen[..., 4:].abs().max() < 3
    silence = mel(torch.zeros(1, 3, WINDOW // 2 + 1))
    torch.testing.assert_close(silence, torch.full_like(silence, (torch.tensor(FLOOR).log().item() - CENTRE) / SPREAD))
