"""Loudness as the recommendation defines it: its own check tone, its gates, and one ear for all rates."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.listening.loudness import loudness_lufs


def sine(pitch: float, rate: int, *, seconds: float = 3.0, level: float = 1.0) -> NDArray[np.float32]:
    return (level * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [16000, 24000, 48000])
def test_a_full_scale_tone_of_997_hz_has_the_loudness_that_the_recommendation_names(rate: int) -> None:
    assert loudness_lufs(sine(997.0, rate), rate) == pytest.approx(-3.01, abs=0.02)


def test_half_the_level_is_six_decibels_less() -> None:
    assert loudness_lufs(sine(997.0, 16000, level=0.5), 16000) == pytest.approx(-9.03, abs=0.02)


def test_the_ear_hears_little_of_a_hum_and_more_of_high_tones() -> None:
    loudness = {pitch: loudness_lufs(sine(pitch, 16000), 16000) for pitch in (20.0, 997.0, 4000.0)}
    assert None not in loudness.values()
    assert loudness[20.0] < loudness[997.0] - 10  # type: ignore[operator]
    assert loudness[4000.0] > loudness[997.0] + 2  # type: ignore[operator]


def test_pauses_do_not_make_speech_quieter() -> None:
    spoken = sine(997.0, 16000, seconds=4.0, level=0.1)
    pause = sine(997.0, 16000, seconds=8.0, level=0.0005)
    alone, paused = (loudness_lufs(samples, 16000) for samples in (spoken, np.concatenate([spoken, pause])))
    assert paused == pytest.approx(alone, abs=0.4)


def test_silence_and_less_than_a_block_have_no_loudness() -> None:
    assert loudness_lufs(np.zeros(32000, dtype=np.float32), 16000) is None
    assert loudness_lufs(sine(997.0, 16000, seconds=0.3), 16000) is None
    assert loudness_lufs(np.zeros(0, dtype=np.float32), 16000) is None
