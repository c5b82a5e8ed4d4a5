from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.demo.quality import SCORE_RATE_HZ, align, stoi_score


@pytest.fixture
def speech() -> NDArray[np.float32]:
    """Noise whose loudness comes and goes like syllables."""
    random = np.random.default_rng(1)
    times = np.arange(2 * SCORE_RATE_HZ) / SCORE_RATE_HZ
    return np.asarray(0.1 * random.normal(size=len(times)) * (1 + np.sin(2 * np.pi * 4 * times)), dtype=np.float32)


@pytest.mark.parametrize("delay", [0, 1, 640, 30000])
def test_a_late_copy_is_found_and_cut(speech: NDArray[np.float32], delay: int) -> None:
    late = np.concatenate([np.zeros(delay, dtype=np.float32), speech])
    aligned = align(speech, late)
    assert aligned.delay == delay
    np.testing.assert_array_equal(aligned.reference, aligned.degraded)
    assert len(aligned.reference) == len(speech)


def test_an_early_copy_has_a_negative_delay(speech: NDArray[np.float32]) -> None:
    aligned = align(speech, speech[500:])
    assert aligned.delay == -500
    np.testing.assert_array_equal(aligned.reference, aligned.degraded)


def test_a_copy_that_lost_its_phase_is_found_by_its_loudness(speech: NDArray[np.float32]) -> None:
    random = np.random.default_rng(3)
    syllables = np.repeat(random.uniform(0.0, 1.0, 40), SCORE_RATE_HZ // 20).astype(np.float32)
    carriers = random.normal(size=(2, len(syllables))).astype(np.float32)
    late = np.concatenate([np.zeros(5000, dtype=np.float32), syllables * carriers[1]])
    assert align(syllables * carriers[0], late).delay == pytest.approx(5000, abs=80)


def test_silence_is_not_shifted(speech: NDArray[np.float32]) -> None:
    assert align(speech, np.zeros(100, dtype=np.float32)).delay == 0


def test_a_perfect_copy_scores_one_and_noise_scores_less(speech: NDArray[np.float32]) -> None:
    pytest.importorskip("pystoi")
    perfect = stoi_score(align(speech, speech))
    noise = np.random.default_rng(2).normal(size=len(speech)).astype(np.float32)
    noisy = stoi_score(align(speech, speech * np.float32(0.05) + noise))
    assert perfect == pytest.approx(1.0, abs=1e-3)
    assert noisy is not None
    assert noisy < 0.6


def test_silence_has_no_score(speech: NDArray[np.float32]) -> None:
    assert stoi_score(align(speech, np.zeros(len(speech), dtype=np.float32))) is None
