from __future__ import annotations

import pytest

from gateway.metrics import EncoderMetrics


def test_the_real_time_factor_is_work_per_second_of_audio() -> None:
    metrics = EncoderMetrics(frame_duration_s=0.08)
    assert metrics.encode_rtf == 0.0
    metrics.encoded(0.002)
    metrics.encoded(0.006)
    assert metrics.frames_encoded == 2
    assert metrics.encode_rtf == pytest.approx(0.05)
    assert metrics.encode_ms.snapshot().p50 == pytest.approx(4.0)
