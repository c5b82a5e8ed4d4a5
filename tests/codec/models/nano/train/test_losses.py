from __future__ import annotations

import pytest
import torch
from torch import Tensor

from codec.models.nano.excitation import Harmonics
from codec.models.nano.train.losses import EnvelopeCorrelationLoss, LoudnessLoss, MultiResolutionMelLoss

RATE = 16_000


def test_the_mel_loss_is_nothing_for_equal_signals_and_grows_with_noise() -> None:
    torch.manual_seed(0)
    loss = MultiResolutionMelLoss(RATE)
    source = 0.1 * torch.randn(2, 8192)
    losses = [float(loss(source + noise * torch.randn_like(source), source)) for noise in (0.0, 0.01, 0.1)]
    assert losses[0] < 2e-3
    assert losses == sorted(losses)


def test_the_envelope_loss_hears_movement_and_not_level() -> None:
    torch.manual_seed(0)
    loss = EnvelopeCorrelationLoss(RATE)
    beat = 0.2 + (torch.arange(24_000) / RATE * 2 * torch.pi * 4).sin().clamp(min=0)
    source = 0.1 * torch.randn(2, 24_000) * beat
    assert float(loss(source, source)) < 1e-3
    assert float(loss(0.3 * source, source)) < 0.05
    steady = 0.1 * torch.randn(2, 24_000)
    assert float(loss(steady, source)) > 0.5
    # Digital silence has no envelope to follow: nothing to learn, and nothing that is not a number.
    quiet = torch.zeros(1, 24_000, requires_grad=True)
    loss(quiet, torch.zeros(1, 24_000)).backward()
    assert quiet.grad is not None
    assert torch.isfinite(quiet.grad).all()


def voice() -> Tensor:
    """A second of every harmonic of 200 Hz, [1, T]: nothing between them."""
    wave: Tensor = Harmonics(hop=160, sample_rate=RATE).offline(torch.full((1, 100), 200.0))
    return 0.05 * wave


def without(source: Tensor, low: float, high: float) -> Tensor:
    """`source` without what lies between `low` and `high` Hz."""
    spectrum = torch.fft.rfft(source)
    hertz = torch.fft.rfftfreq(source.shape[-1], 1 / RATE)
    filtered: Tensor = torch.fft.irfft(spectrum * ~((hertz >= low) & (hertz < high)))
    return filtered


def disturbances(decoded: Tensor, source: Tensor) -> tuple[float, float]:
    everything, additions = LoudnessLoss(RATE)(decoded, source)
    return float(everything), float(additions)


def test_equal_signals_have_no_disturbance() -> None:
    everything, additions = disturbances(voice(), voice())
    assert everything < 2e-3
    assert additions < 1e-4


def test_disturbances_grow_with_the_noise() -> None:
    torch.manual_seed(0)
    noise = torch.randn(1, RATE)
    pairs = [disturbances(voice() + level * noise, voice()) for level in (0.0, 1e-4, 1e-3, 1e-2)]
    for part in zip(*pairs, strict=True):
        assert list(part) == sorted(part)
        assert part[-1] > 10 * part[1] > 0


def test_a_difference_that_the_signal_masks_does_not_count() -> None:
    torch.manual_seed(0)
    noise = 0.05 * torch.randn(1, RATE)
    nothing, _ = disturbances(noise, noise)
    # Half a decibel of colour is masked; half of the spectrum at a tenth is not.
    treble = without(noise, 0, 2000)
    masked, _ = disturbances(noise + 0.06 * treble, noise)
    heard, _ = disturbances(noise - 0.9 * treble, noise)
    assert masked < 1.1 * nothing
    assert heard > 100 * nothing


def test_what_was_added_between_harmonics_is_counted_again_and_what_is_missing_is_not() -> None:
    """At frames of 32 ms the harmonics of 200 Hz fall into bands of their own below 2 kHz."""
    torch.manual_seed(0)
    source = without(voice(), 2000, 9000)
    hiss = without(without(torch.randn(1, RATE), 2000, 9000), 0, 100)
    missing = without(source, 700, 1300)
    lost, lost_additions = disturbances(missing, source)
    noisy, added = disturbances(source + 1e-3 * hiss, source)
    assert added > 0.1
    assert added > 20 * lost_additions
    # Though what is missing is a disturbance, too.
    assert lost > 0.1
    assert noisy > 0.1


def test_a_softer_copy_is_forgiven_what_a_lacking_band_is_not() -> None:
    torch.manual_seed(0)
    noise = 0.05 * torch.randn(1, RATE)
    assert disturbances(0.5 * noise, noise)[0] < 0.3
    assert disturbances(without(noise, 2000, 4000), noise)[0] > 1.0
    # But not for ever.
    assert disturbances(0.1 * noise, noise)[0] > 1.0


@pytest.mark.parametrize("level", [0.0, 1e-6])
def test_silence_has_a_loss_and_a_gradient_that_are_numbers(level: float) -> None:
    torch.manual_seed(0)
    decoded = (level * torch.randn(1, 8000)).requires_grad_()
    everything, additions = LoudnessLoss(RATE)(decoded, torch.zeros(1, 8000))
    (everything + additions).backward()
    assert decoded.grad is not None
    assert decoded.grad.isfinite().all()
    assert everything.isfinite()
