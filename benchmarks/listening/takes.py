"""What the page plays: a recording and two versions of it, equally loud and equally long."""

from __future__ import annotations

import io
import threading
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.listening.album import ORIGINAL, SUFFIX, Contents
from benchmarks.listening.clips import Samples
from benchmarks.listening.loudness import loudness_lufs
from benchmarks.quality.contenders import RATE_HZ
from codec import read_audio

TARGET_LUFS = -23.0
"""EBU R 128's: speech at that loudness has room for its peaks."""

_MAX_PEAK = 0.98
_KEPT_CLIPS = 16


class Takes:
    """The sounds of an album as WAV files. For any thread."""

    def __init__(self, album: Path, contents: Contents) -> None:
        self._album, self._contents = album, contents
        self._lock = threading.Lock()  # two requests for one clip: the second waits instead of doing the same work
        self._kept = lru_cache(maxsize=_KEPT_CLIPS)(self._load)

    def wav(self, clip: str, name: str) -> bytes:
        """`clip` as `name`, a version's or ORIGINAL. Lengths and headers are the same for all names of a clip."""
        with self._lock:
            return self._kept(clip)[name]

    def _load(self, clip: str) -> dict[str, bytes]:
        file = next(each.file for each in self._contents.clips if each.name == clip)
        sounds = {ORIGINAL: read_audio(self._album / ORIGINAL / file, RATE_HZ)}
        for version in self._contents.versions:
            sounds[version.name] = read_audio(self._album / version.name / (clip + SUFFIX), RATE_HZ)
        length = sounds[ORIGINAL].size
        fitted = {
            name: np.pad(samples[:length], (0, max(0, length - samples.size))) for name, samples in sounds.items()
        }
        return {name: _wav_bytes(samples) for name, samples in equally_loud(fitted).items()}


def equally_loud(sounds: dict[str, Samples]) -> dict[str, Samples]:
    """All `sounds` [T] at TARGET_LUFS, or as far below as the one with the highest peak needs; silence as it is."""
    gains = {}
    for name, samples in sounds.items():
        loudness = loudness_lufs(samples, RATE_HZ)
        gains[name] = 1.0 if loudness is None else 10 ** ((TARGET_LUFS - loudness) / 20)
    peak = max(gains[name] * float(np.abs(samples).max(initial=0.0)) for name, samples in sounds.items())
    room = min(1.0, _MAX_PEAK / peak) if peak else 1.0
    return {name: (gains[name] * room * samples).astype(np.float32) for name, samples in sounds.items()}


def _wav_bytes(samples: Samples) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE_HZ, format="WAV", subtype="PCM_16")
    return file.getvalue()
