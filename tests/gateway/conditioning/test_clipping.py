from __future__ import annotations

import logging

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.conditioning import ClippingDetector, ClippingWatch

RATE = 16000


def block(*samples: float) -> NDArray[np.float32]:
    return np.array(samples, dtype=np.float32)


def test_three_in_a_row_at_full_scale_are_clipped() -> None:
    assert ClippingDetector().count(block(0.2, 1.0, 1.0, 1.0, 0.2)) == 3
    assert ClippingDetector().count(block(-1.0, -1.0, -1.0, -1.0)) == 4
    assert ClippingDetector().count(block(1.3, 1.0, -1.2)) == 3  # floats may lie beyond


def test_a_loud_peak_that_is_not_cut_off_is_none() -> None:
    assert ClippingDetector().count(block(0.9, 1.0, 0.9, 1.0, 1.0, 0.9)) == 0
    tone = (0.999 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)).astype(np.float32)
    assert ClippingDetector().count(tone) == 0


def test_16_bit_full_scale_counts() -> None:
    assert ClippingDetector().count(block(*[32767 / 32768] * 3)) == 3


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
def test_the_joins_of_blocks_do_not_matter(size: int) -> None:
    tone = np.clip(1.5 * np.sin(2 * np.pi * 200 * np.arange(2000) / RATE), -1, 1).astype(np.float32)
    detector = ClippingDetector()
    pieces = sum(detector.count(tone[begin : begin + size]) for begin in range(0, len(tone), size))
    assert pieces == ClippingDetector().count(tone) > 500


def test_each_channel_is_looked_at_alone() -> None:
    quiet = np.full(10, 0.1, dtype=np.float32)
    loud = np.ones(10, dtype=np.float32)
    assert ClippingDetector().count(np.stack([quiet, loud, quiet], axis=1)) == 10
    crossed = np.where(np.indices((9, 2)).sum(axis=0) % 2 == 0, 1.0, 0.0).astype(np.float32)  # never two in a row
    assert ClippingDetector().count(crossed) == 0


def test_an_empty_block_and_another_number_of_channels_are_no_trouble() -> None:
    detector = ClippingDetector()
    assert detector.count(block()) == 0
    detector.count(block(1.0, 1.0))
    assert detector.count(block()) == 0
    assert detector.count(block(1.0)) == 3
    assert detector.count(np.ones((2, 2), dtype=np.float32)) == 0


def test_nan_is_not_loud() -> None:
    assert ClippingDetector().count(np.full(5, np.nan, dtype=np.float32)) == 0


def test_an_episode_is_said_once_and_armed_again_after_five_calm_seconds(caplog: pytest.LogCaptureFixture) -> None:
    watch = ClippingWatch()
    with caplog.at_level(logging.WARNING):
        for clipped in (0, 7, 5, 0, 3):
            watch.see(clipped, 1.0, source="microphone Desk")
        assert caplog.messages == ["input too loud, clipping detected: microphone Desk"]
        for _ in range(5):
            watch.see(0, 1.0, source="microphone Desk")
        watch.see(1, 1.0, source="microphone Desk")
    assert len(caplog.messages) == 2
    assert (watch.samples, watch.episodes) == (16, 2)
