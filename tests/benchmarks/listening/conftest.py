"""An album of tones: three recordings, three versions."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from benchmarks.listening.album import ORIGINAL, SUFFIX, Contents, ListedClip, ListedVersion
from benchmarks.listening.ogg_opus import write_ogg_opus
from tests.benchmarks.listening.tones import CLIPS, PITCHES, RATE, tone


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the album; what is in it is not to be changed."""
    album = tmp_path_factory.mktemp("tones")
    for number, (name, pitch) in enumerate(PITCHES.items()):
        (album / name).mkdir()
        for clip in CLIPS:
            samples = tone(pitch, peak=0.1 + 0.2 * number)
            if name == ORIGINAL:
                soundfile.write(album / name / f"{clip}.flac", samples, RATE)
            else:
                write_ogg_opus(album / name / (clip + SUFFIX), samples)
    clips = tuple(ListedClip(clip, f"{clip}.flac", "a tone") for clip in CLIPS)
    versions = tuple(ListedVersion(name, name.title(), 1.0) for name in PITCHES if name != ORIGINAL)
    Contents("tones-1", "0123456789abcdef", clips, versions).write(album)
    return album
