from __future__ import annotations

import logging

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.conditioning import Conditioning
from gateway.conditioning.limiter import CEILING
from gateway.config import ConditioningConfig

RATE = 16000


def sine(hertz: float, seconds: float = 0.5, amplitude: float = 0.5) -> NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def through(chain: Conditioning, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([chain.process(sound), chain.flush()])


def test_by_default_the_very_samples_pass() -> None:
    chain = Conditioning(ConditioningConfig(), RATE)
    sound = np.array([0.1, np.nan, 5.0], dtype=np.float32)
    assert chain.process(sound) is sound
    assert chain.idle
    assert chain.counters == {}
    assert chain.flush().size == 0


@pytest.mark.parametrize("gain_db", [-12.0, 6.0])
def test_a_fixed_gain_is_what_it_says(gain_db: float) -> None:
    out = through(Conditioning(ConditioningConfig(gain_db=gain_db), RATE), sine(440, amplitude=0.2))
    assert np.abs(out).max() == pytest.approx(0.2 * 10 ** (gain_db / 20), rel=1e-4)


def test_too_much_gain_without_a_limiter_is_cut_off_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    chain = Conditioning(ConditioningConfig(gain_db=12), RATE)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert np.abs(chain.process(sine(440))).max() == 1.0
    assert [message for message in caplog.messages if "+12 dB" in message and "conditioning.limiter" in message]
    assert len(caplog.messages) == 1
    assert chain.counters["conditioning_overdriven_samples"] > 1000


def test_with_a_limiter_gain_stays_below_the_ceiling(caplog: pytest.LogCaptureFixture) -> None:
    chain = Conditioning(ConditioningConfig(gain_db=12, limiter=True), RATE)
    assert np.abs(through(chain, sine(440))).max() <= np.float32(CEILING)
    assert chain.counters["conditioning_limited_ms"] > 400
    assert not caplog.messages


def test_automatic_gain_always_has_a_limiter_behind_it() -> None:
    chain = Conditioning(ConditioningConfig(auto_gain=True), RATE)
    assert np.abs(through(chain, sine(440, amplitude=4.0))).max() <= np.float32(CEILING)
    assert {"conditioning_gain_db", "conditioning_limited_ms"} <= set(chain.counters)


def test_the_high_pass_comes_before_the_gain() -> None:
    """Rumble that would be cut off by the gain is gone before it."""
    chain = Conditioning(ConditioningConfig(gain_db=12, high_pass_hz=200), RATE)
    out = chain.process(sine(20, seconds=1.0))
    assert np.abs(out[RATE // 2 :]).max() < 0.1


def test_a_filter_is_not_poisoned_by_what_is_no_number() -> None:
    chain = Conditioning(ConditioningConfig(high_pass_hz=80, auto_gain=True), RATE)
    bad = sine(440)
    bad[100:105] = [np.nan, np.inf, -np.inf, 1e30, np.nan]
    through(chain, bad)
    assert chain.counters["conditioning_nonfinite_samples"] == 5
    assert np.isfinite(through(chain, sine(440))).all()


def test_every_part_at_once_keeps_every_sample() -> None:
    config = ConditioningConfig(gain_db=3, auto_gain=True, high_pass_hz=100, limiter=True)
    chain = Conditioning(config, RATE)
    sound = np.random.default_rng(2).normal(0, 0.5, 5000).astype(np.float32)
    out = chain.process(sound[:3000])
    assert len(out) + chain.held == 3000
    assert len(out) + len(chain.process(sound[3000:])) + len(chain.flush()) == 5000
