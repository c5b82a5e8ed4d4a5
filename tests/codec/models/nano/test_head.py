from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from codec.models.nano.excitation import Harmonics, Noise
from codec.models.nano.head import LOUDEST, HarmonicNoiseHead, ShapedExcitation

SIZE, HOP, RATE = 320, 160, 16_000
BINS = SIZE // 2 + 1
LATE = SIZE - HOP
SILENT = -100.0
"""As a logarithm of a gain."""
PITCH = torch.tensor([[130.0, 140.0, 155.0, 150.0, 120.0, 118.0, 121.0, 190.0]])


def synthesis() -> ShapedExcitation:
    return ShapedExcitation(size=SIZE, hop=HOP, sample_rate=RATE)


def shapes(*, voiced: float = SILENT, unvoiced: float = SILENT, angle: float = 0.0) -> Tensor:
    """The same for every bin of every hop of PITCH."""
    parts = (torch.full((1, PITCH.shape[1], BINS), value) for value in (voiced, unvoiced, angle))
    return torch.cat(list(parts), dim=-1)


def shaped(x: Tensor) -> Tensor:
    made = synthesis()
    pcm: Tensor = made(x, made.initial_state(1), PITCH)[0]
    return pcm


def test_a_gain_of_one_gives_the_harmonics_back_late_by_the_overlap() -> None:
    pcm = shaped(shapes(voiced=0.0))
    wave = Harmonics(hop=HOP, sample_rate=RATE).offline(PITCH)
    torch.testing.assert_close(pcm[:, LATE:], wave[:, :-LATE], atol=1e-5, rtol=0)
    assert not pcm[:, :LATE].abs().max() > 1e-5


def test_noise_alone_is_the_noise_and_no_pitch() -> None:
    pcm = shaped(shapes(unvoiced=0.0))
    torch.testing.assert_close(pcm[:, LATE:], Noise(hop=HOP).offline(PITCH)[:, :-LATE], atol=1e-5, rtol=0)


def test_harmonics_and_noise_add_up() -> None:
    both = shaped(shapes(voiced=-1.0, unvoiced=-2.0, angle=0.3))
    apart = shaped(shapes(voiced=-1.0, angle=0.3)) + shaped(shapes(unvoiced=-2.0))
    torch.testing.assert_close(both, apart, atol=1e-5, rtol=0)


@pytest.mark.parametrize("gain", [0.001, 0.5, 8.0])
def test_the_level_follows_the_shape(gain: float) -> None:
    shape = shapes(voiced=-1.0, unvoiced=-2.0)
    louder = shape.clone()
    louder[..., : 2 * BINS] += math.log(gain)
    torch.testing.assert_close(shaped(louder), gain * shaped(shape), atol=1e-5 * max(1.0, gain), rtol=0)


def test_no_shape_is_louder_than_the_loudest() -> None:
    torch.testing.assert_close(shaped(shapes(voiced=50.0)), shaped(shapes(voiced=LOUDEST)))


def test_half_a_turn_of_the_angle_turns_the_harmonics_over() -> None:
    torch.testing.assert_close(
        shaped(shapes(voiced=0.0, angle=math.pi)), -shaped(shapes(voiced=0.0)), atol=1e-4, rtol=0
    )


def test_a_gain_of_some_bins_is_a_filter() -> None:
    shape = shapes(unvoiced=0.0)
    shape[..., BINS + 80 : 2 * BINS] = SILENT  # above 4 kHz
    spectrum = torch.fft.rfft(shaped(shape)[0, LATE:] * torch.hann_window(7 * HOP)).abs()
    low, high = spectrum[: 7 * 35].square().mean(), spectrum[7 * 45 :].square().mean()
    assert float(low / high) > 1e4


def test_what_was_sent_before_does_not_sound_in_a_state_that_begins() -> None:
    made = synthesis()
    state = made.initial_state(2)
    assert all(not value.any() for value in state.values())
    assert {value.shape[0] for value in state.values()} == {2}


def test_a_new_head_is_quiet_and_the_gradient_reaches_every_part_of_it() -> None:
    torch.manual_seed(0)
    head = HarmonicNoiseHead(8, size=SIZE, hop=HOP, sample_rate=RATE)
    pcm, _ = head(torch.randn(1, 8, PITCH.shape[1]), head.initial_state(1), PITCH)
    assert 1e-3 < float(pcm.detach().square().mean().sqrt()) < 0.5
    pcm.square().mean().backward()
    gradient = head.shape.weight.grad
    assert gradient is not None
    assert torch.isfinite(gradient).all()
    assert all(part.abs().amin(dim=1).max() > 0 for part in gradient.chunk(3))
