"""Each stream hums a tone of its own, so that a recording tells whose audio it is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import soundfile

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


def count_foreign(path: Path) -> tuple[int, int]:
    """Frames of a recording in which the other stream's tone sounds, and those in which ours does."""
    sound, _ = soundfile.read(path, dtype="float32")
    whole = len(sound) // TOY.frame_size
    frames = np.asarray(sound[: whole * TOY.frame_size]).reshape(whole, TOY.frame_size)
    levels = 2 * np.abs(np.fft.rfft(frames, axis=1)) / TOY.frame_size
    foreign = int((levels[:, DECOY_CYCLES] > _FOREIGN_LEVEL).sum())
    return foreign, int((levels[:, OWN_CYCLES] > _FOREIGN_LEVEL).sum())
