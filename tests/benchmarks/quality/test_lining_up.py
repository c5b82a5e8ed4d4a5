"""A rebuilt recording is brought to where its original lies, at its length and its power."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.quality.lining_up import find_delay, line_up, shifted

Sound = NDArray[np.float32]


@pytest.mark.parametrize("delay", [-700, -3, 0, 1, 333, 1500])
def test_a_delay_is_found_to_the_sample_and_taken_out(speech: Sound, delay: int) -> None:
    late = shifted(speech, -delay, speech.size + 2000)
    noise = 0.003 * np.random.default_rng(0).standard_normal(late.size).astype(np.float32)
    assert find_delay(speech, 0.3 * late + noise) == delay
    lined_up = line_up(speech, 0.3 * late)
    assert lined_up.shape == speech.shape
    middle = slice(1600, -1600)
    np.testing.assert_allclose(lined_up[middle], speech[middle], atol=0.02)


def test_a_voice_whose_waves_are_others_is_lined_up_by_its_loudness_in_bands(speech: Sound) -> None:
    """Every frequency keeps its level over time and loses its phase, as in a vocoder: the waves agree nowhere."""
    spectra = [np.fft.rfft(speech[at : at + 512] * np.hanning(512)) for at in range(0, speech.size - 512, 128)]
    random = np.random.default_rng(1)
    phases = np.exp(2j * np.pi * random.random((len(spectra), 257)))
    vocoded = np.zeros(speech.size)
    for place, (spectrum, phase) in enumerate(zip(spectra, phases, strict=True)):
        vocoded[128 * place : 128 * place + 512] += np.fft.irfft(np.abs(spectrum) * phase) * np.hanning(512)
    late = shifted(vocoded.astype(np.float32), -800, speech.size + 800)
    assert abs(find_delay(speech, late) - 800) <= 64


def test_power_is_made_equal_and_silence_stays_silence(speech: Sound) -> None:
    lined_up = line_up(speech, 0.01 * speech)
    assert np.square(lined_up).mean() == pytest.approx(np.square(speech).mean(), rel=1e-3)
    silence = line_up(speech, np.zeros(100, dtype=np.float32))
    assert silence.shape == speech.shape
    assert not silence.any()


def test_what_is_shifted_has_the_length_that_is_asked_for() -> None:
    sound = np.arange(1, 6, dtype=np.float32)
    np.testing.assert_array_equal(shifted(sound, 2, 5), [3, 4, 5, 0, 0])
    np.testing.assert_array_equal(shifted(sound, -2, 5), [0, 0, 1, 2, 3])
    np.testing.assert_array_equal(shifted(sound, 0, 3), [1, 2, 3])
    np.testing.assert_array_equal(shifted(sound, 9, 2), [0, 0])
