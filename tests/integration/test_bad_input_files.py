"""A gateway and a file that is no good source, or an unusual one: what is said, with which exit code, what is sent."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from gateway.demo.broker import RunningBroker
from tests.integration.bad_input import NOBODY_LISTENS, Outcome, launch, run
from tests.integration.nano_path import start_mosquitto

pytestmark = [pytest.mark.broker, pytest.mark.slow]

FRAME_S = 0.08
Make = Callable[[Path], Path]


def tone(rate: int, channels: int = 1, seconds: float = 0.4) -> NDArray[np.float32]:
    """[T, channels]."""
    times = np.arange(int(rate * seconds)) / rate
    return np.tile(0.4 * np.sin(2 * np.pi * 300 * times)[:, np.newaxis], (1, channels)).astype(np.float32)


def wav(*, channels: int = 1, rate: int = 16000, bits: int = 16) -> bytes:
    """0.1 s of silence behind a header that states whatever it likes."""
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * block, block, bits)
    data = bytes(3200)
    return b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt \x10\0\0\0" + form + b"data\x80\x0c\0\0" + data


def written(name: str, content: bytes) -> Make:
    """Makes a file of these bytes."""

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def sounding(name: str, samples: NDArray[np.float32], rate: int, **options: str) -> Make:
    """Makes an audio file of these samples."""

    def make(folder: Path) -> Path:
        soundfile.write(folder / name, samples, rate, **options)
        return folder / name

    return make


def cut(name: str, make_whole: Make, share: float) -> Make:
    """Makes a file that holds only the first `share` of another."""

    def make(folder: Path) -> Path:
        whole = make_whole(folder).read_bytes()
        (folder / name).write_bytes(whole[: int(share * len(whole))])
        return folder / name

    return make


def folder_for_a_file(folder: Path) -> Path:
    (folder / "talk.wav").mkdir()
    return folder / "talk.wav"


def named_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "talk.wav")
    return folder / "talk.wav"


def film_without_sound(folder: Path) -> Path:
    with av.open(str(folder / "film.mp4"), "w") as output:
        stream = output.add_stream("mpeg4", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            output.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        output.mux(stream.encode(None))
    return folder / "film.mp4"


def m4a(folder: Path) -> Path:
    with av.open(str(folder / "whole.m4a"), "w") as output:
        stream = output.add_stream("aac", rate=44100)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone(44100).T), format="fltp", layout="mono")
        frame.rate = 44100
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return folder / "whole.m4a"


def broken(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """With what float files may hold and no microphone ever gave."""
    spoilt = samples.copy()
    spoilt[[100, 200, 300, 400], 0] = [np.nan, np.inf, -np.inf, 1e30]
    return spoilt


MP3 = sounding("whole.mp3", tone(44100, seconds=1.6), 44100, format="MP3")

REFUSED: dict[str, tuple[Make, str]] = {
    "a file that is not there": (lambda folder: folder / "none.wav", "File not found at"),
    "a folder for a file": (folder_for_a_file, "No audio files in"),
    "an empty file": (written("a.wav", b""), "There is no sound in"),
    "a header without sound": (sounding("a.wav", tone(16000, seconds=0), 16000), "There is no sound in"),
    "a film without sound": (film_without_sound, "it holds no audio track"),
    "0 channels": (written("a.wav", wav(channels=0)), "its header states 0 channels"),
    "0 Hz": (written("a.wav", wav(rate=0)), "its header states 0 Hz"),
    "1 Hz": (written("a.wav", wav(rate=1)), "has a sample rate of 1 Hz, expected 1000 to 768000"),
    "200 channels": (written("a.wav", wav(channels=200)), "has 200 channels, expected 1 to 64"),
    "half a header": (written("a.wav", wav()[:20]), "its header is cut short"),
    "an M4A without its end": (cut("a.m4a", m4a, 0.5), "begins as M4A but cannot be read"),
    "an MP3 without a whole frame": (cut("a.mp3", MP3, 0.005), "begins as MP3 but cannot be read"),
    "a letter": (written("a.wav", b"Dear reader, this is no sound.\n" * 50), "Unsupported file type"),
    "a pipe": (named_pipe, "is a pipe or a device"),
    "a device": (lambda _: Path("/dev/zero"), "is a pipe or a device"),
}

# File, seconds of sound in it, what a warning in the log says about it (None: there is nothing to say).
PLAYED: dict[str, tuple[Make, float, str | None]] = {
    "8 bit": (sounding("a.wav", tone(8000), 8000, subtype="PCM_U8"), 0.4, None),
    "192 kHz": (sounding("a.wav", tone(192000, 2), 192000, subtype="PCM_24"), 0.4, None),
    "7.1": (sounding("a.wav", tone(48000, 8), 48000), 0.4, None),
    "NaN and infinity": (
        sounding("a.wav", broken(tone(16000)), 16000, subtype="FLOAT"),
        0.4,
        "4 samples were not finite",
    ),
    "nothing but NaN": (
        sounding("a.wav", np.full_like(tone(16000), np.nan), 16000, subtype="FLOAT"),
        0.4,
        "6400 samples were not finite",
    ),
    "a truncated MP3": (cut("a.mp3", MP3, 0.5), 0.8, "it was cut short"),
    "one sample": (sounding("a.wav", tone(16000)[:1], 16000), FRAME_S, None),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """One broker for all of this module."""
    with start_mosquitto(tmp_path_factory.mktemp("site")) as broker:
        yield broker


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_is_no_source_is_one_sentence_and_66(tmp_path: Path, what: str) -> None:
    make, sentence = REFUSED[what]
    path = make(tmp_path)
    stats = tmp_path / "stats.json"
    outcome = run(tmp_path, "gateway", "run", "--source", path, "--broker", NOBODY_LISTENS, "--stats-file", stats)
    outcome.assert_refused(66, sentence)
    assert str(path) in outcome.err


@pytest.mark.parametrize("what", PLAYED)
def test_an_unusual_file_is_sent_whole_and_its_damage_is_said_once(
    site: RunningBroker, tmp_path: Path, what: str
) -> None:
    make, seconds, fault = PLAYED[what]
    outcome = send(site, tmp_path, "--source", make(tmp_path))
    outcome.assert_fine()
    assert frames(tmp_path) * FRAME_S == pytest.approx(seconds, abs=2.5 * FRAME_S)
    assert len(outcome.warnings("is damaged")) == (0 if fault is None else 1), outcome.err
    if fault is not None:
        assert outcome.warnings(fault)


def test_samples_that_are_no_numbers_are_counted(site: RunningBroker, tmp_path: Path) -> None:
    make, _, _ = PLAYED["NaN and infinity"]
    send(site, tmp_path, "--source", make(tmp_path)).assert_fine()
    stats = read_stats(tmp_path)
    assert stats["input_nonfinite_samples"] == 4
    assert stats["nonfinite_samples"] == 0  # none of them reached the encoder


def test_a_file_that_grows_is_sent_as_long_as_it_was(site: RunningBroker, tmp_path: Path) -> None:
    path = sounding("a.wav", tone(16000, seconds=1.2), 16000)(tmp_path)
    with launch(tmp_path, "gateway", *arguments(site, tmp_path, "--source", path)) as gateway:
        gateway.wait_for_log("connected to")
        with path.open("ab") as file:
            file.write(tone(16000, seconds=5.0).tobytes())
        outcome = gateway.finish()
    outcome.assert_fine()
    assert frames(tmp_path) * FRAME_S == pytest.approx(1.2, abs=2.5 * FRAME_S)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3"])
def test_a_file_deleted_while_it_is_read_is_sent_to_its_end(site: RunningBroker, tmp_path: Path, name: str) -> None:
    path = sounding(name, tone(44100, seconds=1.2), 44100, format=name.split(".")[1].upper())(tmp_path)
    with launch(tmp_path, "gateway", *arguments(site, tmp_path, "--source", path)) as gateway:
        gateway.wait_for_log("connected to")
        path.unlink()
        outcome = gateway.finish()
    outcome.assert_fine()
    assert frames(tmp_path) * FRAME_S == pytest.approx(1.2, abs=2.5 * FRAME_S)


def test_a_looped_file_deleted_while_it_is_read_is_missed_at_its_next_start(
    site: RunningBroker, tmp_path: Path
) -> None:
    path = sounding("a.wav", tone(16000, seconds=0.8), 16000)(tmp_path)
    with launch(tmp_path, "gateway", *arguments(site, tmp_path, "--source", path, "--loop")) as gateway:
        gateway.wait_for_log("connected to")
        path.unlink()
        gateway.finish().assert_refused(66, "File not found at")


def test_a_file_cut_short_while_it_is_read_ends_where_it_was_cut(site: RunningBroker, tmp_path: Path) -> None:
    path = sounding("a.wav", tone(48000, seconds=6.0), 48000)(tmp_path)
    with launch(tmp_path, "gateway", *arguments(site, tmp_path, "--source", path)) as gateway:
        gateway.wait_for_log("connected to")
        os.truncate(path, 44 + 2 * 48000)
        outcome = gateway.finish()
    outcome.assert_fine()
    assert 1.0 - FRAME_S <= frames(tmp_path) * FRAME_S < 3.0
    assert outcome.warnings("it was cut short")


def send(broker: RunningBroker, folder: Path, *more: str | Path) -> Outcome:
    return run(folder, "gateway", *arguments(broker, folder, *more))


def arguments(broker: RunningBroker, folder: Path, *more: str | Path) -> list[str | Path]:
    common = ["run", "--broker", broker.url, "--link", "lan", "--id", "gw"]
    return [*common, "--stats-file", folder / "stats.json", *more]


def read_stats(folder: Path) -> dict[str, Any]:
    stats: dict[str, Any] = json.loads((folder / "stats.json").read_text())
    return stats


def frames(folder: Path) -> int:
    return int(read_stats(folder)["frames_encoded"])
