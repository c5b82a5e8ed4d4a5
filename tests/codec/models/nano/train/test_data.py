from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codec.models.nano.train.augmentation import Augmentation
from codec.models.nano.train.data import Clip, Place, SpeechCorpus, read_index, split_by_speaker
from codec.models.nano.train.errors import TrainingDataError

RATE = 16_000


def corpus(speech: Path, cache: Path, *clips: Clip) -> SpeechCorpus:
    return SpeechCorpus(speech, list(clips), cache=cache, sample_rate=RATE, progress=False)


def test_the_split_shares_no_speaker_and_dull_recordings_are_left_out(speech: Path) -> None:
    clips = read_index(speech, RATE)
    assert "dull" not in {clip.speaker for clip in clips}
    training, validation = split_by_speaker(clips, seed=1)
    assert validation
    assert not {clip.speaker for clip in training} & {clip.speaker for clip in validation}
    assert split_by_speaker(clips, seed=1) == (training, validation)


def test_a_place_lies_inside_its_clip_and_reads_the_samples_there(speech: Path, tmp_path: Path) -> None:
    made = corpus(speech, tmp_path, Clip("all.flac", RATE, RATE // 2, "s", 1.0))
    recording, _ = soundfile.read(speech / "all.flac", dtype="int16")
    rng = np.random.default_rng(1)
    places = [made.place(rng, 1000) for _ in range(200)]
    starts = [place.start for place in places]
    assert min(starts) >= RATE
    assert max(starts) + 1000 <= RATE + RATE // 2
    assert max(starts) - min(starts) > 5000
    for place in places[:5]:
        assert (place.offset, place.length) == (0, 1000)
        expected = recording[place.start : place.start + 1000].astype(np.float32) / 32768
        np.testing.assert_array_equal(made.read(place, 1000), expected)


def test_a_clip_shorter_than_the_segment_stands_somewhere_in_silence(speech: Path, tmp_path: Path) -> None:
    made = corpus(speech, tmp_path, Clip("all.flac", RATE, 800, "s", 1.0))
    rng = np.random.default_rng(1)
    places = [made.place(rng, 1000) for _ in range(100)]
    assert {(place.start, place.length) for place in places} == {(RATE, 800)}
    assert min(place.offset for place in places) < 20 < 180 < max(place.offset for place in places) <= 200
    piece = made.read(Place("all.flac", RATE, 150, 800), 1000)
    np.testing.assert_array_equal(piece[150:950], made.read(Place("all.flac", RATE, 0, 800), 800))
    assert not piece[:150].any()
    assert not piece[950:].any()


def test_clips_are_drawn_as_often_as_they_weigh(speech: Path, tmp_path: Path) -> None:
    made = corpus(speech, tmp_path, Clip("all.flac", 0, RATE, "a", 3.0), Clip("all.flac", RATE, RATE, "b", 1.0))
    rng = np.random.default_rng(2)
    first = sum(made.place(rng, RATE).start == 0 for _ in range(1000))
    assert first == pytest.approx(750, abs=60)


def test_levels_vary_and_augmentation_varies_more(speech: Path, tmp_path: Path) -> None:
    made = corpus(speech, tmp_path, Clip("all.flac", RATE, RATE // 2, "s", 1.0))
    batch = made.batch(np.random.default_rng(1), size=30, length=1000)
    peaks = batch.abs().amax(dim=1)
    assert batch.shape == (30, 1000)
    assert peaks.max() / peaks.min() > 4
    varied = made.batch(np.random.default_rng(1), size=4, length=1000, augmentation=Augmentation())
    assert varied.shape == (4, 1000)
    assert varied.isfinite().all()
    assert not varied.equal(batch[:4])


def test_audio_of_another_rate_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.flac", np.zeros(8000), 8000)
    with pytest.raises(TrainingDataError, match="expected 16000 Hz mono"):
        corpus(tmp_path, tmp_path, Clip("x.flac", 0, 1, "s", 1.0))


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"No index\.jsonl"):
        read_index(tmp_path, RATE)
