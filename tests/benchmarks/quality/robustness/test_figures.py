"""Figures of sounds whose answer is known. Above all: that a click at the frame boundaries is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.quality.robustness import sounds
from benchmarks.quality.robustness.figures import (
    FLOOR_DBFS,
    band_difference_db,
    frame_rhythm,
    level_dbfs,
    loudest_dbfs,
    peak_dbfs,
    pitch_hz,
)
from benchmarks.quality.robustness.line import RATE_HZ
from codec import read_audio

FRAME = 1280


@pytest.fixture(scope="module")
def speech(repository: Path) -> NDArray[np.float32]:
    """Twelve seconds of it."""
    return read_audio(repository / "codec/assets/speech_cc0.flac", RATE_HZ)[: 12 * RATE_HZ]


def test_levels_of_a_sine_are_those_of_a_sine() -> None:
    sine = sounds.at_peak(sounds.tone(1000, 1), -20)
    assert peak_dbfs(sine) == pytest.approx(-20, abs=0.1)
    assert level_dbfs(sine) == pytest.approx(-23, abs=0.2)
    assert level_dbfs(sounds.silence(1)) == peak_dbfs(sounds.silence(1)) == FLOOR_DBFS


def test_one_loud_moment_is_found_in_a_second_of_silence() -> None:
    sound = sounds.silence(1)
    sound[8000:8160] = 0.1
    assert loudest_dbfs(sound) == pytest.approx(-20, abs=0.1)
    assert level_dbfs(sound) < -35


def test_speech_itself_has_no_rhythm_of_frames(speech: NDArray[np.float32]) -> None:
    assert frame_rhythm(speech, FRAME) < 1.5
    assert frame_rhythm(speech, FRAME, width=16) < 1.2


@pytest.mark.parametrize("offset", [0, 479, 1279])
def test_a_click_at_every_boundary_is_found_wherever_the_boundary_is(speech: NDArray[np.float32], offset: int) -> None:
    clicking = speech.copy()
    clicking[offset::FRAME] += 0.003  # 30 dB below the speech
    for width in (1, 16):
        assert frame_rhythm(clicking, FRAME, width=width) > frame_rhythm(speech, FRAME, width=width) + 0.3
    assert frame_rhythm(clicking, FRAME + 1) < frame_rhythm(speech, FRAME + 1) + 0.2  # it has no other rhythm


def test_a_click_at_one_boundary_in_ten_is_found(speech: NDArray[np.float32]) -> None:
    clicking = speech.copy()
    clicking[700 :: 10 * FRAME] += 0.03
    assert frame_rhythm(clicking, FRAME) > frame_rhythm(speech, FRAME) + 0.3


def test_frames_that_do_not_meet_are_found(speech: NDArray[np.float32]) -> None:
    """Every second frame a decibel louder: a step where they meet, as high as the wave stands there."""
    frames = speech[: speech.size // FRAME * FRAME].reshape(-1, FRAME).copy()
    frames[::2] *= sounds.amplitude(1)
    assert frame_rhythm(frames.ravel(), FRAME) > frame_rhythm(speech, FRAME) + 0.25


def test_a_noise_that_is_the_same_in_each_frame_is_found(speech: NDArray[np.float32]) -> None:
    same = np.resize(sounds.hiss(FRAME / RATE_HZ, -50), speech.size)
    fresh = sounds.hiss(speech.size / RATE_HZ, -50)
    assert frame_rhythm(speech + same, FRAME) > frame_rhythm(speech, FRAME) + 0.3
    assert frame_rhythm(speech + fresh, FRAME) < frame_rhythm(speech, FRAME) + 0.1


def test_rhythm_of_less_than_three_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="2000 samples are not three frames of 1280"):
        frame_rhythm(sounds.silence(0.125), FRAME)


def test_bands_tell_how_far_two_spectra_are_apart() -> None:
    noise = sounds.hiss(0.2, -20)
    assert band_difference_db(noise, noise) == 0
    assert band_difference_db(noise, noise * sounds.amplitude(-6)) == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize("hertz", [90, 120, 210, 320])
def test_pitch_of_a_buzz_is_found(hertz: int) -> None:
    harmonics = [sounds.tone(hertz * number, 1) / number for number in range(1, 12)]
    assert pitch_hz(np.sum(harmonics, axis=0)) == pytest.approx(hertz, rel=0.03)


def test_noise_and_silence_have_no_pitch() -> None:
    assert pitch_hz(sounds.hiss(1, -20)) is None
    assert pitch_hz(sounds.silence(1)) is None


def test_faster_speech_is_higher_and_shorter(speech: NDArray[np.float32]) -> None:
    quick = sounds.faster(speech, 1.25)
    assert quick.size == pytest.approx(speech.size / 1.25, abs=2)
    slow_pitch, quick_pitch = pitch_hz(speech), pitch_hz(quick)
    assert slow_pitch is not None
    assert quick_pitch == pytest.approx(1.25 * slow_pitch, rel=0.08)


def test_noise_is_as_far_below_speech_as_asked(speech: NDArray[np.float32]) -> None:
    speech = sounds.at_peak(speech, -20)  # so that nothing has to be scaled down
    mixed = sounds.with_noise(speech, sounds.babble([speech[::-1]], 3), 10)
    assert level_dbfs(speech) - level_dbfs(mixed - speech) == pytest.approx(10, abs=0.1)
    assert peak_dbfs(sounds.with_noise(sounds.at_peak(speech, 0), sounds.hiss(1, -20), 0)) <= 0
