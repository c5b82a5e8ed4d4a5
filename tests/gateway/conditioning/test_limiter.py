from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.conditioning.limiter import CEILING, Limiter

RATE = 16000


def sine(hertz: float, seconds: float, amplitude: float) -> NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def through(limiter: Limiter, sound: NDArray[np.float32], size: int = 320) -> NDArray[np.float32]:
    pieces = [limiter.process(sound[begin : begin + size]) for begin in range(0, len(sound), size)]
    return np.concatenate([*pieces, limiter.flush()])


def test_quiet_sound_passes_bit_for_bit() -> None:
    sound = sine(440, 0.5, 0.8)
    limiter = Limiter(RATE)
    np.testing.assert_array_equal(through(limiter, sound), sound)
    assert limiter.limited_ms == 0


def test_loud_sound_stays_below_the_ceiling_and_keeps_its_shape() -> None:
    sound = sine(300, 1.0, 3.0)
    limiter = Limiter(RATE)
    out = through(limiter, sound)
    assert len(out) == len(sound)
    assert np.abs(out).max() <= np.float32(CEILING)
    # Turned down, not cut off: nothing but the tone itself comes out.
    spectrum = np.abs(np.fft.rfft(out[RATE // 2 :] * np.hanning(RATE // 2)))
    tone = spectrum[148:153].max()  # 300 Hz at 2 Hz a bin
    others = np.concatenate([spectrum[:140], spectrum[160:]]).max()
    assert 20 * np.log10(others / tone) < -50
    assert limiter.limited_ms > 900


def test_after_a_peak_the_gain_comes_back() -> None:
    sound = sine(300, 1.0, 0.5)
    sound[4000:4080] *= 8
    out = through(Limiter(RATE), sound)
    assert np.abs(out).max() <= np.float32(CEILING)
    np.testing.assert_array_equal(out[:3800], sound[:3800])  # more than the look-ahead before it: untouched
    np.testing.assert_allclose(out[-1000:], sound[-1000:], atol=0.001)


def test_at_most_six_milliseconds_are_held_back() -> None:
    limiter = Limiter(RATE)
    for size in (1, 5, 17, 100, 333):
        limiter.process(np.zeros(size, dtype=np.float32))
        assert limiter.held <= 6 * RATE // 1000
    assert limiter.flush().size <= 6 * RATE // 1000
    assert limiter.held == 0


def test_flushed_it_is_as_new() -> None:
    sound = sine(300, 0.3, 2.0)
    used = Limiter(RATE)
    through(used, sine(100, 0.2, 5.0))
    np.testing.assert_array_equal(through(used, sound), through(Limiter(RATE), sound))


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100])
@pytest.mark.parametrize("size", [1, 33, 480])
def test_the_length_of_the_blocks_does_not_matter(rate: int, size: int) -> None:
    noise = np.random.default_rng(5).normal(0, 0.7, 2000).astype(np.float32)
    np.testing.assert_array_equal(through(Limiter(rate), noise, size), through(Limiter(rate), noise, 2000))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), loudness=st.floats(0.01, 8.0), sparse=st.booleans())
def test_no_sound_whatever_passes_the_ceiling(seed: int, loudness: float, sparse: bool) -> None:
    generator = np.random.default_rng(seed)
    noise = generator.normal(0, loudness, 1000)
    if sparse:  # single clicks out of nothing are the hardest
        noise *= generator.random(1000) < 0.01
    clicks = np.clip(noise, -8, 8).astype(np.float32)
    out = through(Limiter(RATE), clicks, int(generator.integers(1, 200)))
    assert len(out) == len(clicks)
    assert np.abs(out).max(initial=0) <= np.float32(CEILING)
