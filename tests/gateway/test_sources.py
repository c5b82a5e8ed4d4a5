from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from codec import AudioFileError
from gateway.config import SourceConfig
from gateway.errors import SourceError
from gateway.sources import (
    AudioBlock,
    AudioSource,
    DirectorySource,
    FileSource,
    MicSource,
    PipeSource,
    select_source,
)

RATE = 16000


def read(source: AudioSource, stop: threading.Event | None = None) -> list[AudioBlock]:
    with source:
        return list(source.blocks(stop or threading.Event()))


def total(blocks: list[AudioBlock]) -> int:
    return sum(len(block.samples) for block in blocks)


def test_a_file_is_streamed_at_the_rate_of_the_codec(wav: Callable[..., Path]) -> None:
    blocks = read(FileSource(wav(seconds=1.0, rate=24000), sample_rate=RATE))
    assert total(blocks) == pytest.approx(RATE, abs=32)
    assert all(block.samples.dtype == np.float32 for block in blocks)
    assert all(block.captured_at is None for block in blocks)


def test_a_looped_file_starts_again_until_stopped(wav: Callable[..., Path]) -> None:
    stop = threading.Event()
    samples = 0
    with FileSource(wav(seconds=0.25), sample_rate=RATE, loop=True) as source:
        for block in source.blocks(stop):
            samples += len(block.samples)
            if samples > 3 * RATE:
                stop.set()
    assert samples > 3 * RATE


def test_a_missing_file_is_known_when_the_source_is_opened(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match=r"File not found at .*none\.wav"):
        FileSource(tmp_path / "none.wav", sample_rate=RATE).__enter__()


def test_a_directory_is_read_in_the_order_of_names(wav: Callable[..., Path], tmp_path: Path) -> None:
    wav("talks/b.wav", seconds=0.2)
    wav("talks/a.WAV", seconds=0.1)
    (tmp_path / "talks" / "notes.txt").write_text("no audio")
    blocks = read(DirectorySource(tmp_path / "talks", sample_rate=RATE))
    assert total(blocks) == int(0.3 * RATE)
    assert len(blocks[0].samples) <= int(0.1 * RATE)


def test_a_broken_file_in_a_directory_is_skipped_and_counted(
    wav: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wav("talks/b.wav", seconds=0.2)
    (tmp_path / "talks" / "a.wav").write_bytes(b"this is no audio at all")
    source = DirectorySource(tmp_path / "talks", sample_rate=RATE)
    assert total(read(source)) == int(0.2 * RATE)
    assert source.files_skipped == 1
    assert "skipped a.wav" in caplog.text


def test_a_directory_without_audio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"No audio files in .* — expected WAV/MP3/FLAC/OGG/M4A"):
        DirectorySource(tmp_path, sample_rate=RATE).__enter__()


def test_a_looped_directory_of_broken_files_ends_instead_of_spinning(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"this is no audio at all")
    with pytest.raises(SourceError, match="None of the audio files"):
        read(DirectorySource(tmp_path, sample_rate=RATE, loop=True))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):  # a test may have closed it
            os.close(end)


def test_raw_pcm_is_scaled_and_channels_averaged(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    stereo = np.array([[16384, 0], [-32768, -32768], [100, 300]], dtype="<i2")
    os.write(writing, stereo.tobytes())
    os.close(writing)
    blocks = read(PipeSource(reading, rate=RATE, channels=2, sample_rate=RATE))
    np.testing.assert_allclose(np.concatenate([block.samples for block in blocks]), [0.25, -1.0, 200 / 32768])


def test_a_sample_split_over_two_writes_is_put_together(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    data = np.arange(4, dtype="<i2").tobytes()
    received: list[AudioBlock] = []
    with PipeSource(reading, rate=RATE, channels=1, sample_rate=RATE) as source:
        os.write(writing, data[:3])
        blocks = source.blocks(threading.Event())
        received.append(next(blocks))
        os.write(writing, data[3:])
        os.close(writing)
        received.extend(blocks)
    np.testing.assert_allclose(np.concatenate([block.samples for block in received]) * 32768, [0, 1, 2, 3])


def test_raw_pcm_of_another_rate_is_resampled_whole(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.write(writing, np.zeros(8000, dtype="<i2").tobytes())
    os.close(writing)
    assert total(read(PipeSource(reading, rate=8000, channels=1, sample_rate=RATE))) == pytest.approx(16000, abs=2)


def test_a_pipe_that_closes_without_a_sample_is_said(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(writing)
    with pytest.raises(SourceError, match="No audio came on standard input"):
        read(PipeSource(reading, rate=RATE, channels=1, sample_rate=RATE))


def test_a_stop_is_heard_while_a_pipe_says_nothing(pipe: tuple[int, int]) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.05, stop.set)
    timer.start()
    assert read(PipeSource(pipe[0], rate=RATE, channels=1, sample_rate=RATE), stop) == []
    timer.join()


def test_a_live_pipe_stamps_its_blocks(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.write(writing, np.zeros(1600, dtype="<i2").tobytes())
    os.close(writing)
    source = PipeSource(reading, rate=RATE, channels=1, sample_rate=RATE, live=True, clock=lambda: 50.0)
    (block,) = read(source)
    assert block.captured_at == pytest.approx(49.9)


@pytest.mark.parametrize(
    ("target", "kind"), [("mic", MicSource), ("-", PipeSource), ("talk.wav", FileSource), (".", DirectorySource)]
)
def test_the_text_after_source_decides_the_kind(target: str, kind: type) -> None:
    assert type(select_source(SourceConfig(target=target), sample_rate=RATE)) is kind


def test_an_address_on_the_network_says_what_to_do_instead() -> None:
    with pytest.raises(SourceError, match=r"Pipe it in: ffmpeg -i https://radio\.example/talk"):
        select_source(SourceConfig(target="https://radio.example/talk"), sample_rate=RATE)
