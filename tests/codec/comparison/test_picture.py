from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from codec.comparison.picture import Take, draw_spectrograms, spectrogram_db

RATE = 16000


def tone(seconds: float, hertz: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    times = np.arange(int(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def test_a_tone_stands_at_its_frequency() -> None:
    level_db = spectrogram_db(tone(1.0, 2000.0), RATE)
    assert level_db.shape == (257, 126)
    loudest = np.argmax(level_db[:, 20:100], axis=0) * RATE / 512
    np.testing.assert_allclose(loudest, 2000.0, atol=32)


def test_silence_is_finite() -> None:
    assert np.isfinite(spectrogram_db(np.zeros(1000, dtype=np.float32), RATE)).all()


def test_the_picture_is_a_png_wide_enough_to_read(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "spectrograms.png"
    original = Take(tone(1.0, 440.0), "Original", "a tone", "#f2b866")
    rebuilt = Take(tone(0.8, 440.0), "Rebuilt", "shorter", "#6cc7c1")
    assert draw_spectrograms(path, (original, rebuilt), rate=RATE, heading="Two tones")
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    assert width >= 1600
    assert height >= 900


def test_nothing_is_written_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    path = tmp_path / "spectrograms.png"
    take = Take(tone(0.1, 440.0), "a", "b", "#ffffff")
    assert not draw_spectrograms(path, (take, take), rate=RATE, heading="")
    assert not path.exists()
