"""What a listener hears differs in nothing but the codec: not in loudness, not in length."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.listening.album import ORIGINAL, Contents
from benchmarks.listening.loudness import loudness_lufs
from benchmarks.listening.takes import TARGET_LUFS, Takes, equally_loud
from tests.benchmarks.listening.tones import PITCHES, RATE, pitch_of, tone


def test_sounds_of_any_level_come_out_equally_loud(tones: Path) -> None:
    takes = Takes(tones, Contents.read(tones))
    files = {name: takes.wav("one", name) for name in PITCHES}
    assert len({len(file) for file in files.values()}) == 1
    for name, file in files.items():
        samples, rate = soundfile.read(io.BytesIO(file), dtype="float32")
        assert rate == RATE
        assert pitch_of(samples) == pytest.approx(PITCHES[name], abs=2)
        assert loudness_lufs(samples, RATE) == pytest.approx(TARGET_LUFS, abs=0.1)


def test_one_sound_with_a_peak_takes_the_others_down_with_it() -> None:
    click = tone(500.0, peak=0.01)
    click[8000] = 0.9
    loud = equally_loud({ORIGINAL: tone(500.0), "clicking": click})
    assert max(float(np.abs(samples).max()) for samples in loud.values()) <= 0.98 + 1e-6
    one, other = (loudness_lufs(samples, RATE) for samples in loud.values())
    assert one == pytest.approx(other, abs=0.1)
    assert one is not None
    assert one < TARGET_LUFS - 1


def test_silence_stays_silence() -> None:
    loud = equally_loud({ORIGINAL: tone(500.0), "silent": np.zeros(RATE, dtype=np.float32)})
    assert not loud["silent"].any()
