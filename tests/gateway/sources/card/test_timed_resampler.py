from __future__ import annotations

import numpy as np
import pytest

from gateway.sources.card.timed_resampler import TimedResampler


@pytest.mark.parametrize(("in_rate", "out_rate"), [(48000, 16000), (44100, 24000), (8000, 16000), (16000, 16000)])
def test_times_and_lengths_agree_to_a_sample(in_rate: int, out_rate: int) -> None:
    """Each block begins where the one before it ended, the first at the first time, the tail at the last."""
    resampler = TimedResampler(in_rate, out_rate)
    size = in_rate // 50
    noise = np.random.default_rng(1).normal(0, 0.1, size).astype(np.float32)
    count = 0
    blocks = [resampler.process(noise, 7.0 + n * size / in_rate) for n in range(40)]
    for block in [*blocks, resampler.flush()]:
        if block.samples.size:
            assert block.captured_at == pytest.approx(7.0 + count / out_rate, abs=1.0 / out_rate)
        count += len(block.samples)
    assert count == pytest.approx(0.8 * out_rate, abs=1)


def test_after_a_flush_time_starts_anew() -> None:
    resampler = TimedResampler(48000, 16000)
    silence = np.zeros(960, dtype=np.float32)
    for n in range(5):
        resampler.process(silence, n * 0.02)
    resampler.flush()
    assert resampler.process(silence, 60.0).captured_at == 60.0
    assert resampler.flush().captured_at == pytest.approx(60.0, abs=0.02)


def test_a_resampler_that_took_nothing_has_no_tail() -> None:
    assert TimedResampler(48000, 16000).flush().samples.size == 0
