"""Conditions and their table, with a line that only delays and scores that can be told by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from benchmarks.quality.robustness.conditions import (
    Recording,
    SpeechError,
    all_conditions,
    read_recordings,
    score_conditions,
)
from benchmarks.quality.robustness.figures import level_dbfs, peak_dbfs
from benchmarks.quality.robustness.line import RATE_HZ
from benchmarks.quality.robustness.scores import Scores, score_speech
from benchmarks.quality.robustness.sounds import hiss, silence, tone

Samples = NDArray[np.float32]


def _delayed(samples: Samples) -> Samples:
    return np.pad(samples, (480, 0))


def _levels(reference: Samples, degraded: Samples) -> Scores:
    """Not PESQ: the level of their difference, which is known."""
    assert reference.size == degraded.size
    return {"PESQ-WB": level_dbfs(reference - degraded), "ESTOI": peak_dbfs(reference)}


@pytest.fixture
def recordings() -> list[Recording]:
    """Two that are as loud as each other."""
    return [
        Recording("a.flac", "men", 0.5 * tone(110, 1) + hiss(1, -60)),
        Recording("b.flac", "women", 0.5 * tone(220, 1) + hiss(1, -60, seed=1)),
    ]


def test_each_condition_is_a_row_and_each_kind_of_voice(recordings: list[Recording]) -> None:
    rows = {str(row["condition"]): row for row in score_conditions(_delayed, recordings, _levels)}
    assert list(rows)[:3] == ["as it is", "men alone", "women alone"]
    assert len(rows) == len(all_conditions()) + 2
    assert rows["as it is"]["recordings"] == 2
    assert rows["men alone"]["recordings"] == rows["women alone"]["recordings"] == 1
    assert all(row["PESQ-WB"] == -120 for row in rows.values())  # what came back is what was sent
    assert rows["peak at -40 dBFS"]["ESTOI"] == pytest.approx(-40, abs=0.01)
    noise = rows["white noise, 10 dB"]["PESQ-WB to clean"]
    assert noise == rows["white noise, 10 dB"]["PESQ-WB sent to clean"]
    assert noise == pytest.approx(-9 - 10, abs=2)  # the noisy signal may be scaled down
    assert rows["as it is"]["PESQ-WB to clean"] is None


def test_a_figure_that_some_recordings_lack_is_the_mean_of_the_others(recordings: list[Recording]) -> None:
    def some(reference: Samples, degraded: Samples) -> Scores:
        return {"PESQ-WB": 2.0 if np.array_equal(reference, recordings[0].samples) else None, "ESTOI": None}

    first = next(score_conditions(_delayed, recordings, some))
    assert first["PESQ-WB"] == 2.0
    assert first["ESTOI"] is None


def test_the_manifest_says_whose_voice_it_is_and_pitch_says_it_without(tmp_path: Path) -> None:
    for name, hertz in (("child.flac", 300), ("deep.flac", 110), ("high.flac", 300), ("mid.flac", 200)):
        soundfile.write(tmp_path / name, 0.1 * sum(tone(hertz * k, 1) / k for k in range(1, 9)), RATE_HZ)
    (tmp_path / "manifest.jsonl").write_text(json.dumps({"file": "child.flac", "voice": "child"}) + "\n")
    voices = {recording.name: recording.voice for recording in read_recordings(tmp_path)}
    assert voices == {
        "child.flac": "children",
        "deep.flac": "voices below 160 Hz",
        "high.flac": "voices above 250 Hz",
        "mid.flac": "voices of 160 to 250 Hz",
    }


def test_a_folder_without_speech_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match=r"there is no recording in .*nowhere: name a folder"):
        read_recordings(tmp_path / "nowhere")
    soundfile.write(tmp_path / "a.flac", silence(2), RATE_HZ)
    with pytest.raises(SpeechError, match=r"a\.flac holds nothing but silence"):
        read_recordings(tmp_path)
    soundfile.write(tmp_path / "a.flac", hiss(0.5, -20), RATE_HZ)
    with pytest.raises(SpeechError, match=r"a\.flac is shorter than a second"):
        read_recordings(tmp_path)
    (tmp_path / "manifest.jsonl").write_text("[1]\n")
    with pytest.raises(SpeechError, match=r"manifest\.jsonl is no list of recordings"):
        read_recordings(tmp_path)


def test_scores_fall_with_noise_and_are_told_of_noise_alone(repository: Path) -> None:
    speech, _ = soundfile.read(repository / "codec/assets/speech_cc0.flac", dtype="float32", frames=3 * RATE_HZ)
    same, worse = score_speech(speech, speech), score_speech(speech, speech + hiss(3, -30))
    for name in ("STOI", "ESTOI"):
        assert (same[name] or 0) > 0.99 > 0.9 > (worse[name] or 1)
    nothing = score_speech(silence(3), silence(3))
    assert nothing["PESQ-WB"] is None
    assert (nothing["STOI"] or 0) < 0.01
