from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.models.nano.config import NanoConfig
from codec.models.nano.train.data import Clip, Place, SpeechCorpus
from codec.models.nano.train.errors import TrainingDataError
from codec.models.nano.train.pitch.reference import PitchTracks, reference_pitch

CONFIG = NanoConfig()
HOP = CONFIG.hop


@pytest.fixture
def tracks(speech: Path, tmp_path: Path) -> PitchTracks:
    """The pitch of hop n of the file is n Hz, as found beside the decoded audio of an earlier run."""
    clips = [Clip("all.flac", 0, 16_000, "s", 1.0)]
    corpus = SpeechCorpus(speech, clips, cache=tmp_path, sample_rate=CONFIG.sample_rate, progress=False)
    kept = tmp_path / "pitch"
    kept.mkdir()
    np.save(kept / "all.npy", np.arange(13_000, dtype=np.float32))
    return PitchTracks(corpus, CONFIG, cache=kept, progress=False)


def test_a_segment_gets_the_pitch_at_the_ends_of_its_hops(tracks: PitchTracks) -> None:
    assert tracks.of(Place("all.flac", 100 * HOP, 0, 5 * HOP), 5 * HOP).tolist() == [101, 102, 103, 104, 105]
    # To the nearest hop.
    assert tracks.of(Place("all.flac", 100 * HOP + 70, 0, 2 * HOP), 2 * HOP).tolist() == [101, 102]
    assert tracks.of(Place("all.flac", 100 * HOP + 90, 0, 2 * HOP), 2 * HOP).tolist() == [102, 103]


def test_the_silence_around_a_short_clip_has_no_pitch(tracks: PitchTracks) -> None:
    pitch = tracks.of(Place("all.flac", 100 * HOP, 2 * HOP, 3 * HOP), 7 * HOP)
    assert pitch.tolist() == [0, 0, 101, 102, 103, 0, 0]
    # Hops that are partly silence count as silence.
    assert tracks.of(Place("all.flac", 100 * HOP, HOP // 4, 2 * HOP), 4 * HOP).tolist() == [0, 102, 0, 0]


def test_beyond_the_end_of_the_file_there_is_no_pitch(tracks: PitchTracks) -> None:
    assert tracks.of(Place("all.flac", 12_997 * HOP, 0, 4 * HOP), 4 * HOP).tolist() == [12_998, 12_999, 0, 0]


def sawtooth(seconds: float, hertz: float) -> NDArray[np.int16]:
    turns = np.arange(round(seconds * CONFIG.sample_rate)) * (hertz / CONFIG.sample_rate)
    return (8000 * (2 * (turns % 1.0) - 1)).astype(np.int16)


@pytest.mark.filterwarnings("ignore:pkg_resources is deprecated")
def test_the_reference_hears_a_sawtooth_and_silence_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyworld")
    monkeypatch.setattr("codec.models.nano.train.pitch.reference.BLOCK_S", 2)
    audio = np.concatenate([sawtooth(3.0, 140.0), np.zeros(16_001, np.int16)])
    pitch = reference_pitch(audio, CONFIG)
    assert len(pitch) == 401
    np.testing.assert_allclose(pitch[10:290], 140.0, rtol=0.005)
    assert not pitch[310:].any()


def test_without_its_package_the_recipe_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(TrainingDataError, match=r"pip install 'voxwire\[pitch\]'"):
        reference_pitch(np.zeros(160, np.int16), CONFIG)
