from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_player.render.stretch import LONGEST_S, SHORTEST_S, lengthen, shorten

RATES = (16_000, 24_000)
Samples = NDArray[np.float32]
Change = Callable[[Samples, int], Samples | None]
CHANGES = pytest.mark.parametrize("change", [shorten, lengthen])


def voice(rate: int, hertz: float = 130.0, *, seconds: float = 0.08) -> Samples:
    """A pitch with a dozen harmonics that fade."""
    time = np.arange(round(seconds * rate)) / rate
    parts = [np.sin(2 * np.pi * hertz * k * time + k) / k for k in range(1, 13)]
    sound: Samples = (0.1 * np.sum(parts, axis=0)).astype(np.float32)
    return sound


@CHANGES
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hertz", [80.0, 130.0, 210.0, 350.0])
def test_a_voice_loses_or_gains_whole_periods_and_nothing_clicks(change: Change, rate: int, hertz: float) -> None:
    sound = voice(rate, hertz)
    changed = change(sound, rate)
    assert changed is not None
    periods = abs(len(changed) - len(sound)) * hertz / rate
    assert round(periods) >= 1
    assert periods == pytest.approx(round(periods), abs=0.05)
    assert (len(changed) < len(sound)) == (change is shorten)
    steps = np.abs(np.diff(sound)).max()
    assert np.abs(np.diff(changed)).max() <= 1.05 * steps
    curves = np.abs(np.diff(sound, 2)).max()
    assert np.abs(np.diff(changed, 2)).max() <= 1.3 * curves


@CHANGES
def test_its_ends_stay_as_they_are_so_that_frames_still_join(change: Change) -> None:
    sound = voice(16_000)
    changed = change(sound, 16_000)
    assert changed is not None
    margin = round(0.02 * 16_000)
    assert np.array_equal(changed[:margin], sound[:margin])
    assert np.array_equal(changed[-margin:], sound[-margin:])


@CHANGES
def test_silence_is_changed_by_as_much_as_there_is(change: Change) -> None:
    silence = np.zeros(1280, dtype=np.float32)
    changed = change(silence, 16_000)
    assert changed is not None
    assert abs(len(changed) - len(silence)) == round(LONGEST_S * 16_000)
    assert not changed.any()


@CHANGES
def test_a_consonant_is_left_alone(change: Change) -> None:
    hiss = (0.1 * np.random.default_rng(1).standard_normal(1280)).astype(np.float32)
    assert change(hiss, 16_000) is None


@CHANGES
def test_what_is_shorter_than_two_periods_is_left_alone(change: Change) -> None:
    assert change(voice(16_000)[: round(2 * LONGEST_S * 16_000) - 1], 16_000) is None


def test_changing_back_and_forth_keeps_the_pitch() -> None:
    rate, hertz = 16_000, 130.0
    sound = voice(rate, hertz, seconds=0.5)
    longer = lengthen(sound, rate)
    assert longer is not None
    spectrum = np.abs(np.fft.rfft(longer * np.hanning(len(longer)), 1 << 16))
    peak = spectrum[: round(200 / rate * (1 << 16))].argmax() * rate / (1 << 16)
    assert peak == pytest.approx(hertz, abs=1.0)
    assert SHORTEST_S * rate <= len(longer) - len(sound) <= LONGEST_S * rate
