"""Speech is speech at any rate and the noise of a room is none, whatever its level."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

import codec
import gateway
from gateway.voice_activity import VoiceActivity
from protocol.service import ConfigError
from tests.detector import detector

pytestmark = detector

FRAME_S = 0.08
CLIPS = (
    Path(codec.__file__).parent / "assets" / "speech_cc0.flac",
    Path(gateway.__file__).parent / "assets" / "demo_speech.flac",
)
WITHIN_DB = 25.0
"""Frames as loud as that below the loud ones hold voice; what is softer is its echo, or breath."""


def frames_of(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    size = round(FRAME_S * rate)
    frames: NDArray[np.float32] = samples[: len(samples) // size * size].reshape(-1, size)
    return frames


def judge(samples: NDArray[np.float32], rate: int) -> NDArray[np.bool_]:
    voice = VoiceActivity(rate)
    return np.array([voice.speaks(frame) for frame in frames_of(samples, rate)])


def level_db(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(10 * np.log10(np.mean(np.square(frames, dtype=np.float64), axis=1) + 1e-12))


def room_noise(seconds: float, rate: int, db: float, *, pink: bool) -> NDArray[np.float32]:
    noise = np.random.default_rng(1).standard_normal(round(seconds * rate))
    if pink:
        spectrum = np.fft.rfft(noise)
        noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), len(noise))
    return np.asarray(noise / np.sqrt(np.mean(noise**2)) * 10 ** (db / 20), dtype=np.float32)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100, 48000])
@pytest.mark.parametrize("clip", CLIPS, ids=lambda path: path.stem)
def test_no_frame_of_voice_is_missed_at_any_rate(clip: Path, rate: int) -> None:
    samples, recorded = soundfile.read(clip, dtype="float32")
    samples = soxr.resample(samples, recorded, rate)
    level = level_db(frames_of(samples, rate))
    voiced = level > np.percentile(level, 95) - WITHIN_DB
    heard = judge(samples, rate)
    heard[:-1] |= heard[1:]  # what the resampler still held belongs to the frame before; pre-roll covers it
    assert voiced.mean() > 0.5
    assert not np.flatnonzero(voiced & ~heard).size


@pytest.mark.parametrize("pink", [False, True], ids=["white", "pink"])
@pytest.mark.parametrize("db", [-90.0, -70.0, -55.0, -40.0])
def test_the_noise_of_a_room_is_no_speech(db: float, pink: bool) -> None:
    assert judge(room_noise(20.0, 16000, db, pink=pink), 16000).mean() < 0.02


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf])
def test_what_is_no_sound_is_no_speech(value: float) -> None:
    assert not judge(np.full(5 * 1280, value, dtype=np.float32), 16000).any()


def test_the_voice_is_heard_again_after_samples_that_are_none() -> None:
    samples, rate = soundfile.read(CLIPS[0], dtype="float32", frames=32000)
    nonsense = np.tile(np.array([np.nan, np.inf, -np.inf, 1e30], dtype=np.float32), 320)
    assert judge(np.concatenate([nonsense, samples]), rate)[1:].mean() > 0.5


def test_every_sample_is_judged_once_where_frames_are_no_whole_pieces() -> None:
    judged = []
    voice = VoiceActivity(16000)

    class Detector:
        def is_speech(self, piece: bytes, rate: int) -> bool:
            judged.append(np.frombuffer(piece, "<i2"))
            return False

    voice._detector = Detector()
    sound = np.arange(5 * 700, dtype=np.float32) / 32767.0
    for frame in sound.reshape(5, 700):
        voice.speaks(frame)
    whole = np.concatenate(judged)
    np.testing.assert_allclose(whole, np.arange(len(whole)), atol=1)
    assert len(sound) - len(whole) < 320


def test_a_gateway_without_the_detector_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = builtins.__import__

    def refuse(name: str, *args: Any, **options: Any) -> Any:
        if name == "webrtcvad":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigError, match=r"pip install\s+'voxwire\[silence\]', or leave silence off"):
        VoiceActivity(16000)
