"""Sound from anywhere, opened as one thing."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codec.audio.inputs import open_input
from codec.errors import AudioFileError, AudioInputError
from tests.gateway.sources.web_server import tone, wav_bytes


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "talk one.wav"
    path.write_bytes(wav_bytes(0.5))
    return path


@pytest.fixture
def empty_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def _heard(source: Any) -> np.ndarray[Any, Any]:
    with open_input(source, 16000) as reader:
        return np.concatenate(list(reader))


def test_a_file_is_opened_by_path_by_text_and_by_file_address(wav: Path) -> None:
    for source in (wav, str(wav), f"file://{str(wav).replace(' ', '%20')}"):
        np.testing.assert_allclose(_heard(source), tone(0.5), atol=1e-4)


def test_a_data_url_is_decoded_and_leaves_nothing_behind(empty_temporary_folder: Path) -> None:
    text = "data:audio/wav;base64," + base64.b64encode(wav_bytes(0.5)).decode()
    with open_input(text, 16000) as reader:
        assert list(empty_temporary_folder.iterdir()) == []
        np.testing.assert_allclose(np.concatenate(list(reader)), tone(0.5), atol=1e-4)
    assert reader.name == "the data URL data:audio/wav;base64,…"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("data:audio/wav;base64,not base64!", "holds no base64"),
        ("data:audio/wav;base64,", "it is empty"),
        ("UklGR" * 2000, "File not found at UklGR.*as a data URL"),
        (np.zeros(100, np.float32), r"needs its sample rate: give \(array, rate\)"),
        ((np.zeros(9), 16000, 1), "not as a tuple of 3"),
        (17, "Expected a path, an address or .*, not int"),
        (b"bytes", "not bytes"),
        (None, "not NoneType"),
    ],
)
def test_what_is_no_sound_is_refused_in_one_sentence(source: Any, words: str) -> None:
    with pytest.raises(AudioInputError, match=words) as caught:
        open_input(source, 16000)
    assert len(str(caught.value)) < 400


def test_a_data_url_of_something_else_is_said_and_removed(empty_temporary_folder: Path) -> None:
    with pytest.raises(AudioFileError, match=r"Unsupported file type .*\(the data URL data:x;base64,…\)"):
        open_input("data:x;base64," + base64.b64encode(b"hello" * 100).decode(), 16000)
    assert list(empty_temporary_folder.iterdir()) == []


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match=r"File not found at .*none\.wav"):
        open_input(tmp_path / "none.wav", 16000)


def test_without_a_rate_a_recording_keeps_its_own(wav: Path) -> None:
    for source, rate in ((wav, 16000), ((np.zeros(441, np.float32), 44100), 44100)):
        with open_input(source, None) as reader:
            assert reader.sample_rate == rate
            assert sum(block.size for block in reader) == (reader.duration_s or 0) * rate
