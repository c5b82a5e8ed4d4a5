from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from gateway.conditioning import AutoGain, to_dbfs
from gateway.conditioning.auto_gain import MAX_GAIN_DB, TARGET_DBFS

RATE = 16000


@pytest.fixture(scope="module")
def speech(repository: Path) -> NDArray[np.float32]:
    """Real speech at 16 kHz, 42 s, with -22.5 dBFS while somebody speaks."""
    samples, rate = soundfile.read(repository / "codec" / "assets" / "speech_cc0.flac", dtype="float32")
    assert rate == RATE
    return np.asarray(samples, dtype=np.float32)


def through(gain: AutoGain, sound: NDArray[np.float32], size: int = 320) -> NDArray[np.float32]:
    return np.concatenate([gain.process(sound[begin : begin + size]) for begin in range(0, len(sound), size)])


def speech_level_dbfs(sound: NDArray[np.float32]) -> float:
    """RMS over the 20 ms that are within 35 dB of the loudest."""
    frames = sound[: len(sound) // 320 * 320].reshape(-1, 320)
    energy = np.mean(frames**2, axis=1)
    return to_dbfs(float(np.sqrt(np.mean(energy[energy > energy.max() * 10**-3.5]))))


@pytest.mark.parametrize("change_db", [-20.0, -10.0, 8.0])
def test_quiet_and_loud_talkers_come_to_one_level(speech: NDArray[np.float32], change_db: float) -> None:
    out = through(AutoGain(RATE), speech * np.float32(10 ** (change_db / 20)))
    assert speech_level_dbfs(out[-10 * RATE :]) == pytest.approx(TARGET_DBFS, abs=4)


def test_the_gain_moves_slowly(speech: NDArray[np.float32]) -> None:
    gain = AutoGain(RATE)
    quiet = speech * np.float32(0.05)
    former = 0.0
    for second in range(10):
        gain.process(quiet[second * RATE : (second + 1) * RATE])
        assert 0.0 <= gain.gain_db - former <= 2.0 + 1e-6
        former = gain.gain_db
    assert former > 5.0


def test_silence_is_never_pumped_up(speech: NDArray[np.float32]) -> None:
    gain = AutoGain(RATE)
    through(gain, speech[: 10 * RATE] * np.float32(0.2))
    reached = gain.gain_db
    assert reached > 3.0
    gain.process(np.zeros(30 * RATE, dtype=np.float32))
    assert gain.gain_db == reached


@pytest.mark.parametrize("level", [0.0005, 0.003, 0.03])
def test_steady_noise_moves_nothing_but_for_its_first_moment(level: float) -> None:
    noise = np.random.default_rng(1).normal(0, level, 30 * RATE).astype(np.float32)
    gain = AutoGain(RATE)
    gain.process(np.zeros(2 * RATE, dtype=np.float32))
    gain.process(noise)
    assert abs(gain.gain_db) <= 3.0  # 1.5 s at 2 dB/s: until it is known to be no speech


def test_room_noise_between_words_is_raised_by_no_more_than_the_words(speech: NDArray[np.float32]) -> None:
    gain = AutoGain(RATE)
    through(gain, speech * np.float32(0.1))
    assert gain.gain_db == pytest.approx(TARGET_DBFS + 22.5 + 20, abs=4)


def test_a_whisper_far_away_is_raised_by_no_more_than_the_limit(speech: NDArray[np.float32]) -> None:
    gain = AutoGain(RATE)
    for _ in range(2):
        through(gain, speech * np.float32(0.02))
    assert 15 < gain.gain_db <= MAX_GAIN_DB


def test_the_length_of_the_blocks_does_not_matter(speech: NDArray[np.float32]) -> None:
    quiet = speech[: 5 * RATE] * np.float32(0.1)
    np.testing.assert_allclose(through(AutoGain(RATE), quiet, 333), through(AutoGain(RATE), quiet, 5 * RATE), atol=1e-6)


def test_the_gain_changes_without_a_step(speech: NDArray[np.float32]) -> None:
    """What is multiplied on never moves faster than 6 dB a second from one sample to the next."""
    loud = np.where(np.abs(speech) > 1e-3, speech * 1.2, 1e-3).astype(np.float32)[: 20 * RATE]
    applied = through(AutoGain(RATE), loud, 250) / loud
    steps_db = np.abs(np.diff(20 * np.log10(applied)))
    assert 0 < steps_db.max() < 2 * 6.0 / RATE + 2e-5


def test_a_gap_keeps_the_gain_and_forgets_the_noise(speech: NDArray[np.float32]) -> None:
    gain = AutoGain(RATE)
    through(gain, speech[: 10 * RATE] * np.float32(0.1))
    reached = gain.gain_db
    gain.clear()
    out = gain.process(np.full(100, 0.01, dtype=np.float32))
    np.testing.assert_allclose(out, 0.01 * 10 ** (reached / 20), rtol=1e-5)
