"""The raw material of the decoder's sound, against sums of cosines and the figures of white noise."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from codec.models.layers import State
from codec.models.nano.excitation import NOISE_LENGTH, Harmonics, Noise, noise_table

RATE = 16_000
HOP = 160


def voice() -> Harmonics:
    return Harmonics(hop=HOP, sample_rate=RATE)


def level(hertz: float, hops: int) -> Tensor:
    """A pitch that does not move, [1, hops]."""
    return torch.full((1, hops), hertz)


def cosines(turns: Tensor, count: int) -> Tensor:
    """The mean-square-normalised sum of the first `count` harmonics at `turns` [T] of the first."""
    order = torch.arange(1, count + 1, dtype=torch.float64)
    return torch.cos(2 * math.pi * turns[:, None] * order).sum(dim=1) * math.sqrt(2 / count)


@pytest.mark.parametrize("hertz", [60.0, 100.0, 140.25, 333.5, 519.0])
def test_a_level_pitch_gives_the_cosines_of_its_harmonics_from_the_first_sample_on(hertz: float) -> None:
    wave = voice().offline(level(hertz, 100))[0].double()
    turns = torch.arange(1, RATE + 1, dtype=torch.float64) * (hertz / RATE)
    torch.testing.assert_close(wave, cosines(turns, int(RATE / 2 // hertz)), atol=1e-5, rtol=0)
    # An hour later it is no worse.
    late = {"phase": torch.tensor([[3600.0 * hertz % 1.0]], dtype=torch.float64), "pitch": level(hertz, 1)}
    after, _ = voice()(level(hertz, 100), late)
    torch.testing.assert_close(
        after[0].double(), cosines(turns + 3600.0 * hertz, int(RATE / 2 // hertz)), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("hertz", [80.0, 110.0, 290.0])
def test_every_harmonic_up_to_half_the_rate_is_there_as_strong_as_any_and_nothing_else(hertz: float) -> None:
    # One second: a whole number of periods, so every harmonic falls on one bin.
    wave = voice().offline(level(hertz, 100))[0].double()
    amplitude = torch.fft.rfft(wave).abs() / (RATE / 2)
    wanted = torch.zeros_like(amplitude)
    wanted[int(hertz) :: int(hertz)] = math.sqrt(2 / (RATE / 2 // hertz))
    if RATE / 2 % hertz == 0:
        wanted[-1] *= 2  # half the rate is both the bin and its mirror image
    torch.testing.assert_close(amplitude, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("hertz", [55.0, 142.0, 301.0, 517.0])
def test_harmonics_have_a_variance_of_one_whatever_the_pitch(hertz: float) -> None:
    assert voice().offline(level(hertz, 100)).square().mean() == pytest.approx(1.0, abs=2e-3)


def test_a_moving_pitch_moves_on_a_straight_line_between_the_ends_of_the_hops() -> None:
    pitch = torch.tensor([[120.0, 150.0, 150.0, 90.0, 100.5]])
    wave = voice().offline(pitch)[0].double()
    corners = torch.cat([pitch[:, :1], pitch], dim=1)[0].double()
    ramp = torch.arange(HOP, dtype=torch.float64) / HOP
    starts, slopes = corners[:-1, None], corners.diff()[:, None]
    # The mean of each sample's two ends is the exact integral of a line.
    middle = (starts + slopes * (ramp + 0.5 / HOP)).flatten()
    turns = middle.cumsum(0) / RATE
    exact = (starts + slopes * (ramp + 1 / HOP)).flatten()
    expected = torch.stack([cosines(t[None], int(RATE / 2 / f))[0] for t, f in zip(turns, exact, strict=True)])
    torch.testing.assert_close(wave, expected, atol=1e-4, rtol=0)


def test_a_glide_has_no_click() -> None:
    """x[n - 1] + x[n + 1] = 2 cos(w) x[n] for a sine of frequency w, nearly so for one that glides."""
    glide = torch.linspace(4500.0, 7500.0, 41)  # so high that only the first harmonic fits
    zigzag = torch.stack([glide, glide.flip(0)], dim=1).flatten()[:40]
    for pitch, bound in ((glide, 4e-4), (glide.flip(0), 4e-4), (zigzag, 1e-2)):
        harmonics = voice()
        state = harmonics.initial_state(1)
        chunks = []
        for chunk in torch.split(pitch, 3):
            wave, state = harmonics(chunk[None], state)
            chunks.append(wave[0].double())
        x = torch.cat(chunks)
        corners = torch.cat([pitch[:1], pitch]).double()
        ramp = torch.arange(1, HOP + 1, dtype=torch.float64) / HOP
        hertz = (corners[:-1, None] + corners.diff()[:, None] * ramp).flatten()[1:-1]
        # Halfway between the two steps of the phase around a sample.
        left = x[:-2] + x[2:] - 2 * torch.cos(2 * math.pi * hertz / RATE) * x[1:-1]
        slope = corners.diff().abs().max() / HOP
        assert left.abs().max() <= max(bound, 2 * math.pi * float(slope) / RATE * math.sqrt(2))


def test_ten_minutes_in_chunks_are_one_pass() -> None:
    """At a low rate: the phase is the same business at any, and its rounding is that of 60,000 hops."""
    harmonics = Harmonics(hop=4, sample_rate=400)
    torch.manual_seed(0)
    pitch = 55.0 + 100.0 * torch.rand(1, 60_000)
    whole, end = harmonics(pitch, harmonics.initial_state(1))
    state = harmonics.initial_state(1)
    chunks = []
    for chunk in torch.split(pitch, 200, dim=1):
        wave, state = harmonics(chunk, state)
        chunks.append(wave)
    torch.testing.assert_close(torch.cat(chunks, dim=1), whole, atol=1e-6, rtol=0)
    assert abs(float(state["phase"] - end["phase"])) < 1e-8
    # And both are where the turns of ten minutes, added up exactly, put them.
    corners = torch.cat([pitch[:, :1], pitch], dim=1)[0].double()
    turns = math.fsum(((corners[1:] + corners[:-1]) * (0.5 * 0.01)).tolist())
    assert abs(float(end["phase"]) - turns % 1.0) < 1e-7


def test_rows_keep_their_own_phase() -> None:
    harmonics = voice()
    _, state = harmonics(torch.tensor([[100.25, 100.25], [220.0, 300.0]]), harmonics.initial_state(2))
    assert state["phase"].dtype == torch.float64
    torch.testing.assert_close(
        state["phase"], torch.tensor([[2 * 1.0025 - 2.0], [2.2 + 2.6 - 4.0]], dtype=torch.float64), atol=1e-6, rtol=0
    )
    assert state["pitch"].tolist() == [[100.25], [300.0]]


def test_the_noise_is_the_same_on_every_machine() -> None:
    """Golden figures: whoever changes the noise changes how every stream sounds."""
    table = noise_table().double()
    levels = (table * 127 / table.abs().max()).round().long()
    assert levels[:12].tolist() == [-127, -12, -53, 118, -80, 54, 29, -6, -100, 90, -127, 36]
    assert int(levels.sum()) == -8704
    assert int((levels * torch.arange(NOISE_LENGTH)).sum()) == 115_945_645
    assert float(table[0]) == pytest.approx(-1.7257145643, rel=1e-6)


def test_the_noise_is_white_with_mean_nothing_and_variance_one() -> None:
    table = noise_table().double()
    assert abs(float(table.mean())) < 3 / math.sqrt(NOISE_LENGTH)
    assert float(table.square().mean()) == pytest.approx(1.0, abs=1e-6)
    power = torch.fft.rfft(table)[1:].abs().square() / NOISE_LENGTH
    # A value of white noise is correlated with no other: five deviations among 65,000 lags.
    correlation = torch.fft.irfft(torch.fft.rfft(table).abs().square())[1 : NOISE_LENGTH // 2] / NOISE_LENGTH
    assert float(correlation.abs().max()) < 5 / math.sqrt(NOISE_LENGTH)
    # No band of 1000 bins (60 Hz) is louder or softer than the others.
    bands = power[:65_000].reshape(65, 1000).mean(dim=1)
    assert float((bands - 1.0).abs().max()) < 0.15
    assert table.abs().max() < 1.75  # evenly distributed: no peaks


def test_the_noise_goes_on_from_chunk_to_chunk_and_repeats_after_eight_seconds() -> None:
    noise = Noise(hop=HOP)
    hops = NOISE_LENGTH // HOP
    assert 8.0 < hops * HOP / RATE < 8.2
    whole = noise.offline(torch.zeros(1, 2 * hops))
    assert torch.equal(whole[0, : hops * HOP], noise_table()[: hops * HOP])
    assert torch.equal(whole[:, hops * HOP :], whole[:, : hops * HOP])
    state: State = noise.initial_state(1)
    chunks = []
    for size in (1, 8, 500, 300, 2 * hops - 809):
        chunk, state = noise(torch.zeros(1, size), state)
        chunks.append(chunk)
    assert torch.equal(torch.cat(chunks, dim=1), whole)
    assert state["position"].tolist() == [[0]]


def test_rows_stand_at_their_own_place_in_the_noise() -> None:
    noise = Noise(hop=HOP)
    hiss, state = noise(torch.zeros(2, 3), {"position": torch.tensor([[0], [NOISE_LENGTH // HOP - 1]])})
    assert torch.equal(hiss[0, :HOP], hiss[1, HOP : 2 * HOP])
    assert not torch.equal(hiss[0, :HOP], hiss[1, :HOP])
    assert state["position"].tolist() == [[3], [2]]
