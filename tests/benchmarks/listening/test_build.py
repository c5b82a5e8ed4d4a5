"""An album made by the real codecs, and the one that the repository has."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.listening.album import CONTENTS, ORIGINAL, Contents
from benchmarks.listening.build import build
from benchmarks.listening.clips import LISTENING, ORIGINALS, ListeningError
from benchmarks.listening.ogg_opus import write_ogg_opus
from benchmarks.listening.versions import VERSIONS
from codec import Tokenizer, load_onnx_decoder, read_audio
from codec.comparison.picture import spectrogram_db
from tests.benchmarks.listening.tones import RATE

PROGRAMS = ("opusenc", "opusdec", "c2enc", "c2dec")
MAX_ALBUM_BYTES = 4_000_000


@pytest.fixture(scope="module")
def _programs() -> None:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        reason = f"missing: {', '.join(missing)} (apt-get install opus-tools codec2)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def bytes_of(album: Path) -> dict[str, bytes]:
    return {str(path.relative_to(album)): path.read_bytes() for path in album.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("_programs")
def test_building_twice_gives_the_same_files_and_takes_away_those_of_clips_that_are_gone(tmp_path: Path) -> None:
    speech, album = tmp_path / "speech", tmp_path / "album"
    speech.mkdir()
    clip = read_audio(ORIGINALS / "en-2414.flac", RATE)[8000:28000]
    soundfile.write(speech / "Some Talk.wav", clip, RATE)
    tokenizer, seen = Tokenizer.load("nano"), []
    contents = build(speech, album, tokenizer, on_clip=lambda done, name: seen.append((done, name)))
    first = bytes_of(album)

    assert seen == [(0, "some-talk")]
    assert Contents.read(album) == contents
    assert set(first) == {
        *("README.md", CONTENTS, "original/some-talk.flac", "pictures/some-talk.webp"),
        *(f"{version.name}/some-talk.ogg" for version in VERSIONS),
    }
    rates = {version.name: version.kbps for version in contents.versions}
    assert rates == {"nano-16": 2.2, "nano-8": 1.1, "nano-4": 0.55, "opus-6": 6.0, "codec2-3200": 3.2}
    for version in VERSIONS:
        rebuilt = read_audio(album / version.name / "some-talk.ogg", RATE)
        assert rebuilt.size == clip.size
        levels = [spectrogram_db(samples, RATE)[:100].mean(axis=0) for samples in (clip, rebuilt)]
        assert np.corrcoef(levels)[0, 1] > 0.7  # it says what the original says, when the original says it

    for folder, name in [(VERSIONS[0].name, "gone.ogg"), ("pictures", "gone.webp")]:
        (album / folder / name).touch()
    build(speech, album, tokenizer, on_clip=lambda done, name: None)
    assert bytes_of(album) == first


def test_small_files_hold_what_went_in_and_are_the_same_each_time(tmp_path: Path) -> None:
    speech = read_audio(ORIGINALS / "it-paola.flac", RATE)[:32001]
    paths = [tmp_path / "one.ogg", tmp_path / "two.ogg"]
    for path in paths:
        write_ogg_opus(path, speech)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].stat().st_size < 6000 * speech.size / RATE
    again = read_audio(paths[0], RATE)
    assert again.size == speech.size
    assert 10 * np.log10(np.sum(speech**2) / np.sum((speech - again) ** 2)) > 12


def test_the_album_of_the_repository_is_whole_small_and_of_the_weights_that_are_shipped() -> None:
    contents = Contents.read(LISTENING)
    assert [clip.file for clip in contents.clips] == sorted(path.name for path in ORIGINALS.glob("*.flac"))
    assert [version.name for version in contents.versions] == [version.name for version in VERSIONS]
    assert sum(path.stat().st_size for path in LISTENING.rglob("*")) < MAX_ALBUM_BYTES
    shipped = load_onnx_decoder().spec
    assert (contents.codec, contents.weights) == (shipped.name, shipped.weights_sha256), (
        "nano has other weights now: python -m benchmarks.listening build"
    )


def test_every_link_on_the_albums_page_leads_somewhere() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", (LISTENING / "README.md").read_text())
    assert len(targets) > 8 * len(VERSIONS)
    assert [target for target in targets if not (LISTENING / target).is_file()] == []


def test_an_album_with_a_file_missing_is_said(tones: Path, tmp_path: Path) -> None:
    album = tmp_path / "album"
    shutil.copytree(tones, album)
    (album / ORIGINAL / "two.flac").unlink()
    with pytest.raises(ListeningError, match=r"two\.flac is missing: build the album again"):
        Contents.read(album)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"codec": "x", "weights": "y", "clips": [{"a": 1}], "versions": []}']
)
def test_a_list_of_another_program_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / CONTENTS).write_text(text)
    with pytest.raises(ListeningError, match="cannot be used"):
        Contents.read(tmp_path)
