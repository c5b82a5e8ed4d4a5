"""Each stream hums a tone of its own, so that a recording tells whose audio it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from tests.integration.toy_codec import TOY

OWN_CYCLES: Final = 2
DECOY_CYCLES: Final = 5
"""Cycles in a frame of 80 ms: whole numbers, so that neither a lost nor a repeated frame breaks the tone."""

_SECONDS: Final = 4
_LEVEL: Final = 0.4
_FOREIGN_LEVEL: Final = 0.15  # a frame of the other tone gives 0.17 or more in one of the two windows that it touches


def write_tone(path: Path, cycles: int) -> Path:
    """A file to loop; returns it."""
    times = np.arange(_SECONDS * TOY.sample_rate)
    sound = _LEVEL * np.sin(2 * np.pi * cycles * times / TOY.frame_size)
    soundfile.write(path, sound, TOY.sample_rate, subtype="PCM_16")
    return path


@dataclass(frozen=True, slots=True)
class CardSound:
    """What came out of a card. back_s: from its return until our tone sounded; None where it never did."""

    foreign_frames: int
    own_frames: int
    back_s: float | None


def count_foreign(path: Path) -> tuple[int, int]:
    """Frames of a recording in which the other stream's tone sounds, and those in which ours does."""
    sound, _ = soundfile.read(path, dtype="float32")
    foreign, own = _which_tones(np.asarray(sound))
    return int(foreign.sum()), int(own.sum())


def read_card(recordings: Sequence[Path], *, rate: int) -> CardSound:
    """Raw s16le of two channels at `rate` Hz, what the player played on the right one; one file for each time the card
    was plugged in."""
    heard = []
    for path in recordings:
        samples = np.fromfile(path, dtype="<i2")
        ear = samples[: len(samples) // 2 * 2].reshape(-1, 2)[:, 1].astype(np.float32) / 32768.0
        heard.append(_which_tones(soxr.resample(ear, rate, TOY.sample_rate)))
    sounding = np.flatnonzero(heard[-1][1]) if len(heard) > 1 else np.empty(0)
    return CardSound(
        foreign_frames=sum(int(foreign.sum()) for foreign, _ in heard),
        own_frames=sum(int(own.sum()) for _, own in heard),
        back_s=float(sounding[0]) * TOY.frame_size / TOY.sample_rate if sounding.size else None,
    )


def _which_tones(sound: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each frame of 80 ms, whether the other stream's tone sounds in it, and whether ours does."""
    whole = len(sound) // TOY.frame_size
    frames = sound[: whole * TOY.frame_size].reshape(whole, TOY.frame_size)
    levels = 2 * np.abs(np.fft.rfft(frames, axis=1)) / TOY.frame_size
    return levels[:, DECOY_CYCLES] > _FOREIGN_LEVEL, levels[:, OWN_CYCLES] > _FOREIGN_LEVEL
