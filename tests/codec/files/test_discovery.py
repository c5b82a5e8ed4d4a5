"""What a command line means: files, folders, patterns, addresses, and where their outputs go."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from codec.errors import TokenFileError
from codec.files.discovery import AUDIO_SUFFIXES, find_inputs, is_one_file, output_places, safe_place


@pytest.fixture
def talks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "talks"
    for name in ("b.wav", "a.flac", "notes.txt", "deep/er/c.MP3", ".hidden.wav", ".hidden/d.wav", "deep/e[1].wav"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / "linked").symlink_to(folder / "deep")
    monkeypatch.chdir(tmp_path)
    return folder


def _places(*words: str) -> list[str]:
    return [str(item.place) for item in find_inputs(words, AUDIO_SUFFIXES)]


def test_a_folder_is_searched_with_those_below_and_keeps_its_structure(talks: Path) -> None:
    assert _places("talks") == ["a.flac", "b.wav", "deep/e[1].wav", "deep/er/c.MP3"]


def test_a_pattern_is_placed_from_where_its_fixed_part_ends(talks: Path) -> None:
    assert _places("talks/*.wav") == ["b.wav"]
    assert _places("talks/deep/**") == ["e[1].wav", "er/c.MP3"]
    assert _places("t*/deep/*") == ["talks/deep/e[1].wav", "talks/deep/er/c.MP3"]
    assert _places("talks/*") == [
        "a.flac",
        "b.wav",
        "deep/e[1].wav",
        "deep/er/c.MP3",
        "linked/e[1].wav",
        "linked/er/c.MP3",
    ]


def test_files_named_outright_are_placed_from_the_folder_they_share(talks: Path) -> None:
    assert _places("talks/b.wav", "talks/deep/er/c.MP3") == ["b.wav", "deep/er/c.MP3"]
    assert _places("talks/notes.txt", "talks/none.wav") == ["notes.txt", "none.wav"]
    assert _places("talks/b.wav", "talks/b.wav", "talks") == [
        "b.wav",
        "talks/a.flac",
        "talks/deep/e[1].wav",
        "talks/deep/er/c.MP3",
    ]


def test_several_folders_keep_their_names(talks: Path) -> None:
    assert _places("talks/deep/er", "talks/deep") == ["er/c.MP3", "deep/e[1].wav"]


def test_addresses_are_placed_by_the_name_in_them(talks: Path) -> None:
    assert _places("https://user:secret@example.org/a/talk%201.mp3?token=x", "http://example.org") == [
        "talk 1.mp3",
        "example.org",
    ]


def test_one_file_is_told_from_many(talks: Path) -> None:
    assert is_one_file(["talks/a.flac"])
    assert is_one_file(["none.wav"])
    assert is_one_file(["talks/deep/e[1].wav"])
    assert is_one_file(["https://example.org/a*b"])
    assert not is_one_file(["talks"])
    assert not is_one_file(["talks/*.wav"])
    assert not is_one_file(["talks/a.flac", "talks/b.wav"])


@pytest.mark.parametrize("word", ["empty", "nothing/*", "talks/*.opus"])
def test_where_nothing_is_found_what_was_looked_for_is_said(talks: Path, word: str) -> None:
    (talks.parent / "empty").mkdir()
    with pytest.raises(TokenFileError, match=r"Nothing to do in .* expected files that end in aac/.*/wav") as caught:
        find_inputs([word], AUDIO_SUFFIXES)
    assert caught.value.exit_code == 66


def test_outputs_that_would_meet_keep_their_whole_names() -> None:
    places = [PurePosixPath(name) for name in ("a.wav", "A.flac", "b.wav", "c.d", "deep/a.wav", "notes")]
    assert [str(place) for place in output_places(places, ".vwt", AUDIO_SUFFIXES)] == [
        *("a.wav.vwt", "A.flac.vwt", "b.vwt", "c.d.vwt", "deep/a.vwt", "notes.vwt"),
    ]


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a/../../up", "..", "zero\0byte"])
def test_names_that_lead_out_of_the_folder_are_refused(name: str) -> None:
    with pytest.raises(TokenFileError, match="no name for a file"):
        safe_place(name)
