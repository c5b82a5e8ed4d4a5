from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.conditioning import HighPass

RATE = 16000


def sine(hertz: float, seconds: float = 1.0, amplitude: float = 0.5) -> NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def attenuation_db(hertz: float) -> float:
    """Of a tone through an 80 Hz high-pass, once it has settled."""
    tone = sine(hertz)
    out = HighPass(80, RATE).process(tone)
    settled = slice(RATE // 2, None)
    return float(10 * np.log10(np.mean(out[settled] ** 2) / np.mean(tone[settled] ** 2)))


def test_rumble_goes_and_speech_stays() -> None:
    assert attenuation_db(20) == pytest.approx(-24, abs=0.3)  # two octaves below, 12 dB each
    assert attenuation_db(80) == pytest.approx(-3.01, abs=0.1)
    assert attenuation_db(300) == pytest.approx(0, abs=0.1)
    assert attenuation_db(4000) == pytest.approx(0, abs=0.01)


def test_a_constant_offset_disappears() -> None:
    out = HighPass(80, RATE).process(np.full(RATE, 0.3, dtype=np.float32))
    assert np.abs(out[RATE // 2 :]).max() < 1e-6


@pytest.mark.parametrize("size", [1, 7, 64, 100, 320])
def test_the_length_of_the_blocks_does_not_matter(size: int) -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, 3000).astype(np.float32)
    whole = HighPass(100, RATE).process(noise)
    filter_ = HighPass(100, RATE)
    pieces = [filter_.process(noise[begin : begin + size]) for begin in range(0, len(noise), size)]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-6)


def test_it_is_the_filter_that_the_recursion_describes() -> None:
    """Against the plain loop over samples, whose coefficients are worked out here once more."""
    noise = np.random.default_rng(4).normal(0, 0.1, 500)
    omega = 2 * np.pi * 150 / RATE
    alpha = np.sin(omega) / 2**0.5
    b = np.array([1 + np.cos(omega), -2 - 2 * np.cos(omega), 1 + np.cos(omega)]) / 2 / (1 + alpha)
    a1, a2 = -2 * np.cos(omega) / (1 + alpha), (1 - alpha) / (1 + alpha)
    expected = np.zeros(502)
    padded = np.concatenate([[0, 0], noise])
    for n in range(2, 502):
        expected[n] = b @ padded[n - 2 : n + 1][::-1] - a1 * expected[n - 1] - a2 * expected[n - 2]
    np.testing.assert_allclose(HighPass(150, RATE).process(noise.astype(np.float32)), expected[2:], atol=1e-6)


def test_cleared_it_is_as_new() -> None:
    tone = sine(50, 0.1)
    used = HighPass(80, RATE)
    used.process(sine(33, 0.2))
    used.clear()
    np.testing.assert_array_equal(used.process(tone), HighPass(80, RATE).process(tone))


def test_silence_after_sound_does_not_leave_denormals() -> None:
    filter_ = HighPass(80, RATE)
    filter_.process(sine(200, 0.1))
    out = filter_.process(np.zeros(RATE, dtype=np.float32))
    assert out[-1] == 0.0
    assert not filter_.process(np.zeros(64, dtype=np.float32)).any()


@pytest.mark.parametrize("hertz", [0.0, 8000.0, -5.0])
def test_a_cut_off_that_cannot_be_is_refused(hertz: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 8000 Hz"):
        HighPass(hertz, RATE)
