from __future__ import annotations

import pytest

from benchmarks.wire.cases import OTHERS
from benchmarks.wire.speech import STEP_S, Speech


def test_every_codec_has_the_same_steps_of_the_same_speech(speech: Speech) -> None:
    assert set(speech.coded) == set(OTHERS)
    layers, steps = speech.codes.shape
    assert layers == 16
    assert steps * STEP_S == pytest.approx(23.1, abs=0.1)
    assert all(len(coded) == steps for coded in speech.coded.values())


@pytest.mark.parametrize(
    ("what", "kbps"),
    [
        ("PCM 16 kHz", 256), ("PCM 24 kHz", 384), ("Opus 6 kbit/s", 6), ("Opus 16 kbit/s", 16), ("Codec2 3200", 3.2),
        ("Codec2 1200", 1.2), ("Codec2 700C", 0.7),
    ],
)  # fmt: skip
def test_a_step_has_the_bytes_of_its_rate_and_is_no_filler(speech: Speech, what: str, kbps: float) -> None:
    coded = speech.coded[what]
    (size,) = {len(step) for step in coded}
    assert 8e-3 * size / STEP_S == pytest.approx(kbps)
    assert len(set(coded)) > len(coded) / 2
