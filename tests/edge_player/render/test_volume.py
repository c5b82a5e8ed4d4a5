"""Per cent to loudness, and changes without a click."""

from __future__ import annotations

import numpy as np
import pytest

from edge_player.render.volume import RAMP_S, Volume, gain_of

RATE = 16000
ONES = np.ones(RATE // 10, dtype=np.float32)


@pytest.mark.parametrize(("percent", "decibels"), [(100, 0.0), (50, -18.06), (25, -36.12)])
def test_half_the_volume_is_heard_as_half_as_loud(percent: int, decibels: float) -> None:
    assert 20 * np.log10(gain_of(percent)) == pytest.approx(decibels, abs=0.01)


def test_full_volume_changes_no_bit() -> None:
    samples = np.random.default_rng(1).normal(size=1000).astype(np.float32)
    assert Volume().apply(samples, RATE) is samples


@pytest.mark.parametrize("volume", [Volume(0), Volume(100, mute=True)])
def test_zero_and_mute_are_silence_from_the_first_sample(volume: Volume) -> None:
    assert not volume.apply(ONES, RATE).any()


def test_a_fixed_volume_has_no_ramp() -> None:
    heard = Volume(50).apply(ONES, RATE)
    assert heard.dtype == np.float32
    assert (heard == np.float32(0.125)).all()


@pytest.mark.parametrize("block", [7, 100, 1600])
def test_mute_fades_over_its_ramp_whatever_the_blocks_and_comes_back_the_same_way(block: int) -> None:
    volume = Volume()
    volume.set(mute=True)
    faded = np.concatenate([volume.apply(ONES[at : at + block], RATE) for at in range(0, len(ONES), block)])
    steps = round(RAMP_S * RATE)
    assert np.abs(np.diff(faded)).max() <= 1.01 / steps
    assert faded[0] < 1.0
    assert not faded[steps:].any()
    volume.set(mute=False)
    back = np.concatenate([volume.apply(ONES[at : at + block], RATE) for at in range(0, len(ONES), block)])
    assert np.abs(np.diff(back)).max() <= 1.01 / steps
    assert (back[steps:] == 1.0).all()


def test_the_volume_is_remembered_while_muted() -> None:
    volume = Volume(50, mute=True)
    volume.set(mute=False)
    assert volume.apply(ONES, RATE)[-1] == np.float32(0.125)
    volume.set(percent=100)
    assert volume.apply(ONES, RATE)[-1] == 1.0


def test_what_comes_in_is_not_changed() -> None:
    volume = Volume()
    volume.set(percent=10)
    samples = ONES.copy()
    volume.apply(samples, RATE)
    assert (samples == 1.0).all()


@pytest.mark.parametrize("percent", [-1, 101, float("nan")])
def test_a_volume_outside_its_range_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="0 to 100"):
        Volume().set(percent=percent)
