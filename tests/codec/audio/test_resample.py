"""Sample rates."""

from __future__ import annotations

import numpy as np
import pytest

from codec.audio.resample import Resampler
from codec.errors import FrameSizeError


@pytest.mark.parametrize(("in_rate", "out_rate"), [(44100, 16000), (8000, 16000), (16000, 48000), (22050, 24000)])
def test_streamed_equals_one_pass_and_has_the_exact_length(in_rate: int, out_rate: int) -> None:
    sound = np.random.default_rng(0).standard_normal(in_rate).astype(np.float32) * 0.1
    whole = Resampler(in_rate, out_rate)
    expected = np.concatenate([whole.process(sound), whole.flush()])
    stream = Resampler(in_rate, out_rate)
    parts = [stream.process(sound[first : first + 777]) for first in range(0, sound.size, 777)]
    streamed = np.concatenate([*parts, stream.flush()])
    assert expected.size == pytest.approx(out_rate, abs=1)
    np.testing.assert_allclose(streamed, expected, atol=1e-5)
    assert streamed.dtype == np.float32


def test_a_tone_keeps_its_place() -> None:
    time = np.arange(44100) / 44100
    resampler = Resampler(44100, 16000)
    result = np.concatenate([resampler.process(np.sin(2 * np.pi * 440 * time)), resampler.flush()])
    expected = np.sin(2 * np.pi * 440 * np.arange(result.size) / 16000)
    np.testing.assert_allclose(result[500:-500], expected[500:-500], atol=1e-3)


def test_equal_rates_pass_through_unchanged() -> None:
    resampler = Resampler(16000, 16000)
    sound = np.arange(5, dtype=np.float32)
    assert resampler.process(sound).tolist() == sound.tolist()
    assert resampler.flush().size == 0
    assert resampler.delay_samples == 0


def test_after_flush_it_is_as_new() -> None:
    sound = np.random.default_rng(0).standard_normal(4410).astype(np.float32)
    resampler = Resampler(44100, 16000)
    first = np.concatenate([resampler.process(sound), resampler.flush()])
    second = np.concatenate([resampler.process(sound), resampler.flush()])
    np.testing.assert_array_equal(first, second)


def test_what_waits_inside_is_known() -> None:
    resampler = Resampler(44100, 16000)
    given = resampler.process(np.zeros(44100, dtype=np.float32)).size
    assert given + resampler.delay_samples == pytest.approx(16000, abs=2)


def test_impossible_rates_and_shapes_are_refused() -> None:
    with pytest.raises(FrameSizeError, match="positive"):
        Resampler(0, 16000)
    with pytest.raises(FrameSizeError, match="mono"):
        Resampler(8000, 16000).process(np.zeros((2, 2)))
