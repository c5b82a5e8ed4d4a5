"""How bytes and the times at which they came become sound over time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.faults.peers.noise import NOISE_RATE
from tests.faults.peers.recording import Chunk, PcmFormat, Recorder, lay_out

MONO = PcmFormat(16000, 1)
TENTH = NOISE_RATE // 10


def pcm(level: float, seconds: float, form: PcmFormat = MONO) -> bytes:
    return np.full(round(seconds * form.rate) * form.channels, round(level * 32768), dtype="<i2").tobytes()


def test_chunks_that_come_in_time_are_one_sound() -> None:
    start, sound = lay_out([Chunk(7.0, pcm(0.5, 0.1)), Chunk(7.1, pcm(0.25, 0.1))], MONO)
    assert start == 7.0
    assert sound[: 2 * TENTH] == pytest.approx([0.5] * TENTH + [0.25] * TENTH)


def test_where_nothing_came_it_is_silent() -> None:
    _, sound = lay_out([Chunk(1.0, pcm(0.5, 0.1)), Chunk(1.3, pcm(0.5, 0.1))], MONO)
    assert sound[: 4 * TENTH] == pytest.approx([0.5] * TENTH + [0.0] * 2 * TENTH + [0.5] * TENTH)


def test_what_comes_too_early_sounds_after_what_still_sounds() -> None:
    _, sound = lay_out([Chunk(1.0, pcm(0.5, 0.3)), Chunk(1.01, pcm(0.25, 0.1))], MONO)
    assert sound[: 4 * TENTH] == pytest.approx([0.5] * 3 * TENTH + [0.25] * TENTH)


def test_the_mean_of_two_channels_is_taken_also_where_a_chunk_ends_inside_a_sample() -> None:
    stereo = PcmFormat(48000, 2)
    data = np.tile(np.array([16384, 0], dtype="<i2"), 9600).tobytes()
    _, sound = lay_out([Chunk(0.0, data[:1001]), Chunk(0.005, data[1001:])], stereo)
    assert sound[: 2 * TENTH - 1] == pytest.approx([0.25] * (2 * TENTH - 1))


def test_nothing_recorded_is_no_sound() -> None:
    start, sound = lay_out([], MONO)
    assert (start, len(sound)) == (0.0, 0)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


def test_a_recorder_notes_when_sound_came_and_when_the_first_that_is_not_silent(pipe: tuple[int, int]) -> None:
    before = time.monotonic()
    recorder = Recorder(pipe[0])
    os.write(pipe[1], bytes(64))
    os.write(pipe[1], b"\1" * 64)
    os.close(pipe[1])
    recorder.join()
    assert b"".join(chunk.data for chunk in recorder.chunks) == bytes(64) + b"\1" * 64
    assert recorder.sounding_at is not None
    assert before <= recorder.chunks[0].at <= recorder.sounding_at <= time.monotonic()
