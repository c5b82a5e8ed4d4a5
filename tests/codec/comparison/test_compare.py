"""Measures between two recordings, and between one and what a codec makes of it."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from codec.cli import main
from codec.comparison.compare import compare_codec, compare_files
from codec.comparison.measures import Measures
from codec.errors import AudioFileError, CodecError
from codec.tokenizer import Tokenizer


@pytest.fixture(autouse=True)
def _only_stoi(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others have tests of their own, and take seconds."""
    find = importlib.util.find_spec
    place = "codec.comparison.measures.importlib.util.find_spec"
    others = ("pesq", "resemblyzer", "utmos", "utmosv2")
    monkeypatch.setattr(place, lambda name: None if name in others else find(name))


@pytest.fixture
def speech() -> NDArray[np.float64]:
    """Three seconds of noise in syllables."""
    noise = np.random.default_rng(0).standard_normal(48000)
    return 0.1 * noise * np.abs(np.sin(np.arange(48000) * 4 * np.pi / 16000))


def _save(path: Path, sound: NDArray[np.float64], rate: int = 16000) -> Path:
    soundfile.write(path, sound, rate, subtype="FLOAT")
    return path


def test_the_same_file_has_no_delay_and_full_marks(tmp_path: Path, speech: NDArray[np.float64]) -> None:
    path = _save(tmp_path / "a.wav", speech)
    result = compare_files(path, path)
    assert result.delay_ms == 0
    assert result.snr_db is None
    assert result.stoi == pytest.approx(1.0, abs=1e-3)
    assert result.seconds == result.reference_seconds == result.degraded_seconds == 3


@pytest.mark.parametrize("shift", [-700, 0, 333, 9000])
def test_the_delay_is_found_and_taken_out(tmp_path: Path, speech: NDArray[np.float64], shift: int) -> None:
    moved = np.concatenate([np.zeros(max(shift, 0)), speech[max(-shift, 0) :]])
    noise = 0.01 * np.random.default_rng(1).standard_normal(moved.size)
    result = compare_files(_save(tmp_path / "a.wav", speech), _save(tmp_path / "b.wav", 0.5 * moved + noise))
    assert result.delay_ms == pytest.approx(1000 * shift / 16000, abs=0.001)
    assert result.snr_db == pytest.approx(5.8, abs=1)
    assert result.si_sdr_db == pytest.approx(11, abs=1)
    assert result.stoi is not None
    assert 0.8 < result.stoi < 1


def test_silence_has_no_measures(tmp_path: Path, speech: NDArray[np.float64]) -> None:
    silence = _save(tmp_path / "a.wav", np.zeros(48000))
    result = compare_files(silence, _save(tmp_path / "b.wav", speech))
    assert (result.snr_db, result.si_sdr_db, result.reference_rms) == (None, None, 0)
    assert compare_files(silence, silence).delay_ms == 0


def test_short_sounds_have_no_stoi(tmp_path: Path, speech: NDArray[np.float64]) -> None:
    path = _save(tmp_path / "a.wav", speech[:4000])
    assert compare_files(path, path).stoi is None


def test_recordings_of_other_lengths_and_rates_are_compared(tmp_path: Path, speech: NDArray[np.float64]) -> None:
    result = compare_files(_save(tmp_path / "a.wav", speech), _save(tmp_path / "b.wav", speech[:30000], 16000))
    assert result.seconds == pytest.approx(30000 / 16000, abs=1e-3)
    assert (result.reference_seconds, result.degraded_seconds) == (3, 1.875)
    slow = compare_files(_save(tmp_path / "a.wav", speech), _save(tmp_path / "c.wav", speech[::2], 8000))
    assert slow.degraded_seconds == 3
    assert abs(slow.delay_ms) < 1


def test_a_missing_file_is_named(tmp_path: Path, speech: NDArray[np.float64]) -> None:
    with pytest.raises(AudioFileError, match="File not found"):
        compare_files(_save(tmp_path / "a.wav", speech), tmp_path / "none.wav")


def test_what_is_not_measured_is_said_with_the_reason(tmp_path: Path, speech: NDArray[np.float64]) -> None:
    path = _save(tmp_path / "a.wav", speech[:4000])
    result = compare_files(path, path)
    assert result.pesq_wb is result.stoi is result.speaker_similarity is None
    assert result.not_measured["stoi"] == "it needs 1 s of sound"
    assert result.not_measured["pesq_wb"] == "pesq is not installed: pip install pesq"
    assert "utmos is not installed" in result.not_measured["utmos_degraded"]


def test_a_codec_is_compared_with_its_original_and_drawn(tmp_path: Path, speech: NDArray[np.float64]) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "report.png"
    result = compare_codec(_save(tmp_path / "a.wav", speech), Tokenizer.load("nano"), layers=4, picture=picture)
    assert result.degraded_seconds == result.reference_seconds == 3
    assert result.picture == str(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "a.wav", picture]


def test_a_picture_that_cannot_be_made_leaves_nothing_and_says_why(
    tmp_path: Path, speech: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _save(tmp_path / "a.wav", speech)
    monkeypatch.setattr("codec.comparison.compare.measure", lambda one, other: Measures(dict.fromkeys(_FIGURES), {}))
    monkeypatch.setattr("codec.comparison.picture.importlib.util.find_spec", lambda name: None)
    with pytest.raises(CodecError, match="A picture needs matplotlib: pip install matplotlib"):
        compare_files(path, path, picture=tmp_path / "report.png")
    assert list(tmp_path.iterdir()) == [path]


_FIGURES = ("stoi", "pesq_wb", "pesq_nb", "speaker_similarity", "utmos_reference", "utmos_degraded")


def test_silence_is_no_reason_to_fail(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.wav", np.zeros(48000))
    result = compare_files(path, path)
    assert not math.isnan(result.reference_rms)
    assert result.not_measured["stoi"] == "there is nothing but silence"


def test_the_command_compares_two_recordings_or_one_with_its_codec(
    tmp_path: Path, speech: NDArray[np.float64], capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = _save(tmp_path / "a.wav", speech), _save(tmp_path / "b.wav", 0.5 * speech)
    assert main(["compare", str(one), str(other), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["delay_ms"], report["picture"]) == (0, None)
    assert report["not_measured"]["pesq_wb"] == "pesq is not installed: pip install pesq"
    assert main(["compare", str(one), "--codec", "nano", "--layers", "4"]) == 0
    printed = capsys.readouterr().out
    assert "codec:                 nano-1" in printed
    assert "not_measured:\n  pesq_wb:" in printed


def test_the_command_says_what_it_cannot_do(
    tmp_path: Path, speech: NDArray[np.float64], capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(_save(tmp_path / "a.wav", speech))
    assert main(["compare", path, path, "--layers", "4"]) == 1
    assert "--layers is for one recording" in capsys.readouterr().err
    assert main(["compare", path, str(tmp_path / "none.wav")]) == 66
    assert main(["compare", path, "--layers", "17"]) == 76
    assert main(["compare", path, path, "-o", str(tmp_path / "no" / "report.png")]) == 1
    assert "Cannot write" in capsys.readouterr().err.splitlines()[-1]
