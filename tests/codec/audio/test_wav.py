"""WAV files as they are written."""

from __future__ import annotations

import os
import resource
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from codec.audio.wav import WavWriter
from codec.errors import FrameSizeError, OutputFileError


def _read(path: Path) -> tuple[int, list[int]]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return file.getframerate(), [int(value) for value in data]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    with WavWriter(tmp_path / "a.wav", 16000) as writer:
        writer.write([0.0, 1.0])
        writer.write(np.array([-1.0, 0.5]))
        writer.write([])
        assert writer.samples_written == 4
    assert _read(tmp_path / "a.wav") == (16000, [0, 32767, -32767, 16384])
    assert writer.clipped_samples == 0


def test_loud_and_broken_samples_are_clipped_and_counted(tmp_path: Path) -> None:
    with WavWriter(tmp_path / "a.wav", 8000) as writer:
        writer.write([2.0, -np.inf, np.nan, np.inf, 0.0])
    assert _read(tmp_path / "a.wav")[1] == [32767, -32767, 0, 32767, 0]
    assert writer.clipped_samples == 4


def test_a_file_whose_writer_died_holds_all_but_the_last_second(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "a.wav", 1000)
    for _ in range(25):
        writer.write(np.full(100, 0.5))
    _, samples = _read(tmp_path / "a.wav")  # never closed
    assert len(samples) == 2000
    writer.close()
    assert len(_read(tmp_path / "a.wav")[1]) == 2500
    assert writer.duration_s == 2.5


def test_a_file_without_sound_is_a_valid_one(tmp_path: Path) -> None:
    WavWriter(tmp_path / "a.wav", 16000).close()
    assert _read(tmp_path / "a.wav") == (16000, [])


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "a.wav", 16000)
    writer.close()
    writer.close()


def test_a_pipe_gets_a_header_and_the_sound(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with WavWriter(pipe, 4) as writer:
        writer.write(np.zeros(10))
    data = os.read(reader, 1000)
    os.close(reader)
    assert len(data) == 44 + 20
    assert data[:4] == b"RIFF"


def test_where_it_cannot_be_written_the_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputFileError, match=r"Cannot write .*nowhere/a.wav: No such file"):
        WavWriter(tmp_path / "nowhere" / "a.wav", 16000)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process may grow over `size` bytes: a full disk, as far as a writer can tell."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [44 + 2 * 250, 44 + 2 * 250 + 1])
def test_a_file_on_a_full_disk_is_valid_up_to_the_last_sample_that_fitted(tmp_path: Path, size: int) -> None:
    with files_of_at_most(size):
        writer = WavWriter(tmp_path / "a.wav", 1000)
        writer.write(np.full(100, 0.5))
        writer.write(np.full(100, 0.5))
        for _ in range(2):  # and it stays full
            with pytest.raises(OutputFileError, match=r"Cannot write .*a.wav: File too large"):
                writer.write(np.full(100, 0.5))
        writer.close()
    assert writer.samples_written == 250
    assert _read(tmp_path / "a.wav") == (1000, [16384] * 250)


def test_where_not_even_the_header_fits_no_file_is_left(tmp_path: Path) -> None:
    with files_of_at_most(20), pytest.raises(OutputFileError, match="File too large"):
        WavWriter(tmp_path / "a.wav", 1000)
    assert list(tmp_path.iterdir()) == []


def test_a_device_that_is_full_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to("/dev/full")
    with pytest.raises(OutputFileError, match="No space left on device"):
        WavWriter(tmp_path / "a.wav", 1000)
    assert (tmp_path / "a.wav").is_symlink()


def test_a_name_that_no_file_can_have_is_refused() -> None:
    for name in ("a\0b.wav", "x" * 300):
        with pytest.raises(OutputFileError, match="Cannot write"):
            WavWriter(name, 1000)


def test_a_file_can_be_taken_away_again(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "a.wav", 1000)
    writer.close()
    writer.remove()
    writer.remove()
    assert list(tmp_path.iterdir()) == []


def test_only_mono_is_taken(tmp_path: Path) -> None:
    with WavWriter(tmp_path / "a.wav", 16000) as writer, pytest.raises(FrameSizeError, match="mono"):
        writer.write(np.zeros((2, 2)))
