"""Recordings found in a folder, ours and anybody's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.listening.clips import ORIGINALS, ListeningError, find_clips
from tests.benchmarks.listening.tones import RATE


def test_eight_bundled_clips_are_16_khz_mono_of_three_to_eight_seconds_and_all_credited() -> None:
    clips = find_clips(ORIGINALS)
    assert len(clips) == 8
    credits = (ORIGINALS / "CREDITS.md").read_text()
    for clip in clips:
        info = soundfile.info(clip.path)
        assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
        assert 3 <= info.duration <= 8
        assert f"`{clip.path.name}`" in credits
    assert sum(clip.path.stat().st_size for clip in clips) < 1_500_000


def test_women_men_and_several_languages_are_heard() -> None:
    about = [clip.about for clip in find_clips(ORIGINALS)]
    assert sum(text.endswith("a woman") for text in about) == 4
    assert len({text.partition(",")[0] for text in about}) >= 4


def test_files_without_a_manifest_are_clips_too_with_names_fit_for_addresses(tmp_path: Path) -> None:
    for name in ("Ünder Strøm (1).wav", "b.FLAC", "notes.txt"):
        soundfile.write(tmp_path / name, np.zeros(100), RATE, format="WAV")
    assert [(clip.name, clip.about) for clip in find_clips(tmp_path)] == [("b", ""), ("nder-str-m-1", "")]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("one.wav", "one.flac"):
        soundfile.write(tmp_path / name, np.zeros(100), RATE)
    with pytest.raises(ListeningError, match="would both be called one"):
        find_clips(tmp_path)


@pytest.mark.parametrize("text", ["not JSON", "[1]", "{}"])
def test_a_manifest_that_is_none_is_said(tmp_path: Path, text: str) -> None:
    soundfile.write(tmp_path / "one.wav", np.zeros(100), RATE)
    (tmp_path / "manifest.jsonl").write_text(text)
    with pytest.raises(ListeningError, match="is no list of recordings"):
        find_clips(tmp_path)


def test_a_folder_without_recordings_is_said(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ListeningError, match="no recording in"):
            find_clips(folder)
