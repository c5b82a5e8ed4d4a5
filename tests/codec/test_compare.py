"""Measures between two files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from codec.compare import compare_files, find_delay
from codec.errors import AudioFileError


@pytest.fixture
def speech() -> NDArray[np.float64]:
    """Three seconds of noise in syllables."""
    noise = np.random.default_rng(0).standard_normal(48000)
    return 0.1 * noise * np.abs(np.sin(np.arange(48000) * 4 * np.pi / 16000))


def _save(path: Path, sound: NDArray[np.float64]) -> Path:
    soundfile.write(path, sound, 16000, subtype="FLOAT")
    return path


def test_the_same_file_has_no_delay_and_full_marks(tmp_path: Path, speech: NDArray[np.float64]) -> None:
    path = _save(tmp_path / "a.wav", speech)
    result = compare_files(path, path)
    assert result.delay_ms == 0
    assert result.snr_db is None
    assert result.stoi == pytest.approx(1.0, abs=1e-3)
    assert result.seconds == 3


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


def test_files_of_any_length_are_compared(tmp_path: Path, speech: NDArray[np.float64]) -> None:
    result = compare_files(_save(tmp_path / "a.wav", speech), _save(tmp_path / "b.wav", speech[:30000]))
    assert result.seconds == pytest.approx(30000 / 16000, abs=1e-3)
    one = np.ones(1, dtype=np.float32)
    assert find_delay(one, one) == 0


def test_a_missing_file_is_named(tmp_path: Path, speech: NDArray[np.float64]) -> None:
    with pytest.raises(AudioFileError, match="File not found"):
        compare_files(_save(tmp_path / "a.wav", speech), tmp_path / "none.wav")
