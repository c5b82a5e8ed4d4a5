from __future__ import annotations

import contextlib
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from codec import AudioFileError
from gateway.config import SourceConfig
from gateway.errors import SourceError
from gateway.sources import (
    AddressSource,
    AudioBlock,
    AudioSource,
    DirectorySource,
    FileSource,
    MicSource,
    PipeSource,
    SeriesSource,
    select_source,
)
from gateway.sources.pipe import SampleFormat

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
    assert total(read(PipeSource(pipe[0], rate=RATE, channels=1, sample_rate=RATE), stop)) == 0
    timer.join()


def test_a_live_pipe_forgets_what_nobody_heard_and_stamps_its_blocks(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.write(writing, b"\1" * 32001)  # a second that waited while we started, and half a sample of the next
    source = PipeSource(reading, rate=RATE, channels=1, sample_rate=RATE, live=True, clock=lambda: 50.0)
    stop = threading.Event()
    with source:
        blocks = source.blocks(stop)
        assert next(blocks).samples.size == 0
        os.write(writing, b"\1" * 3199)
        block = next(block for block in blocks if block.samples.size)
        stop.set()
    assert block.captured_at == pytest.approx(49.9)
    np.testing.assert_allclose(block.samples, 257 / 32768)
    assert block.samples.size == 1600
    assert source.counters["input_stale_ms"] == 1000


def test_a_live_pipe_that_paused_says_what_it_lost(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    now = [50.0]
    source = PipeSource(reading, rate=RATE, channels=1, sample_rate=RATE, live=True, clock=lambda: now[0])
    stop = threading.Event()
    lost = []
    with source:
        blocks = source.blocks(stop)
        next(blocks)
        for seconds in (0.1, 0.1, 5.1):
            now[0] += seconds
            os.write(writing, bytes(3200))
            lost.append(next(block for block in blocks if block.samples.size).lost_samples)
        stop.set()
    assert lost == [0, 0, 5 * RATE]


def test_a_pipe_called_live_that_is_faster_than_time_is_held_back_and_told_of(
    pipe: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    reading, writing = pipe
    source = PipeSource(reading, rate=RATE, channels=1, sample_rate=RATE, live=True)
    stop = threading.Event()

    def pour() -> None:
        with contextlib.suppress(OSError):
            while not stop.is_set():
                os.write(writing, bytes(4096))

    writer = threading.Thread(target=pour)
    with source:
        blocks = source.blocks(stop)
        next(blocks)
        writer.start()
        begun = time.monotonic()
        samples = 0
        while samples < 2 * RATE:
            samples += next(blocks).samples.size
        took_s = time.monotonic() - begun
        stop.set()
        while writer.is_alive():
            os.read(reading, 65536)
            writer.join(0.01)
    assert took_s > 0.7
    assert [record.message for record in caplog.records] == [
        "standard input comes faster than real time: it is not live, leave out --live"
    ]


@pytest.mark.parametrize(
    ("sample_format", "data"),
    [
        ("s16le", struct.pack("<3h", 16384, -32768, 0)),
        ("s24le", bytes([0, 0, 0x40, 0, 0, 0x80, 0, 0, 0])),
        ("s32le", struct.pack("<3i", 2**30, -(2**31), 0)),
        ("f32le", struct.pack("<3f", 0.5, -1.0, 0.0)),
    ],
)
def test_every_format_means_the_same_sound(pipe: tuple[int, int], sample_format: SampleFormat, data: bytes) -> None:
    reading, writing = pipe
    os.write(writing, data)
    os.close(writing)
    blocks = read(PipeSource(reading, rate=RATE, channels=1, sample_rate=RATE, sample_format=sample_format))
    np.testing.assert_allclose(np.concatenate([block.samples for block in blocks]), [0.5, -1.0, 0.0])


def test_what_is_no_number_in_a_pipe_is_cleaned_and_counted(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.write(writing, struct.pack("<4f", float("nan"), float("inf"), 0.25, 1e30))
    os.close(writing)
    source = PipeSource(reading, rate=RATE, channels=1, sample_rate=RATE, sample_format="f32le")
    samples = np.concatenate([block.samples for block in read(source)])
    assert np.isfinite(samples).all()
    assert samples[2] == 0.25
    assert source.counters["input_nonfinite_samples"] == 3


@pytest.mark.parametrize(
    ("start", "kind"), [(b"RIFF\x24\0\0\0WAVEfmt ", "a WAV file"), (b"fLaC\0\0\0\x22", "a FLAC file")]
)
def test_a_file_with_a_header_is_no_raw_pcm(pipe: tuple[int, int], start: bytes, kind: str) -> None:
    reading, writing = pipe
    os.write(writing, start + bytes(400))
    os.close(writing)
    with pytest.raises(SourceError, match=f"Standard input carries {kind}, expected raw PCM"):
        read(PipeSource(reading, rate=RATE, channels=1, sample_rate=RATE))


def test_a_file_that_grows_while_it_is_read_is_read_without_a_fault(wav: Callable[..., Path]) -> None:
    path = wav(seconds=2.0)
    more = path.read_bytes()[44:]
    with FileSource(path, sample_rate=RATE) as source:
        blocks = source.blocks(threading.Event())
        samples = next(blocks).samples.size
        with path.open("ab") as file:
            file.write(more)
        samples += sum(block.samples.size for block in blocks)
    assert 2 * RATE <= samples <= 4 * RATE


def test_a_file_that_is_deleted_while_it_is_read_is_read_to_its_end(wav: Callable[..., Path]) -> None:
    path = wav(seconds=2.0)
    with FileSource(path, sample_rate=RATE) as source:
        blocks = source.blocks(threading.Event())
        samples = next(blocks).samples.size
        path.unlink()
        samples += sum(block.samples.size for block in blocks)
    assert samples == 2 * RATE


def test_a_looped_file_that_was_deleted_ends_with_a_sentence(wav: Callable[..., Path]) -> None:
    path = wav(seconds=0.2)
    with FileSource(path, sample_rate=RATE, loop=True) as source:
        blocks = source.blocks(threading.Event())
        next(blocks)
        path.unlink()
        with pytest.raises(AudioFileError, match="File not found at"):
            list(blocks)


def test_a_file_cut_short_while_it_is_read_ends_there(wav: Callable[..., Path]) -> None:
    path = wav(seconds=5.0)
    with FileSource(path, sample_rate=RATE) as source:
        blocks = source.blocks(threading.Event())
        samples = next(blocks).samples.size
        os.truncate(path, 60_000)
        samples += sum(block.samples.size for block in blocks)
    assert samples < 5 * RATE


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("mic", MicSource),
        ("-", PipeSource),
        ("talk.wav", FileSource),
        (".", DirectorySource),
        ("list.pls", SeriesSource),
        ("https://radio.example/talk", AddressSource),
    ],
)
def test_the_text_after_source_decides_the_kind(target: str, kind: type) -> None:
    assert type(select_source(SourceConfig(target=target), sample_rate=RATE)) is kind
