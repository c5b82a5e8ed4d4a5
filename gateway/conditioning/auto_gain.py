"""Automatic gain: brings quiet and loud talkers to one comfortable level, slowly, and leaves silence alone."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from gateway.conditioning.level import to_dbfs

__all__ = ["MAX_GAIN_DB", "TARGET_DBFS", "AutoGain"]

TARGET_DBFS = -23.0
"""RMS of speech while somebody speaks: about what speech is mixed to, and what nano's training speech lies around."""
MAX_GAIN_DB = 24.0
"""At most so much up or down: a microphone that needs more should be set right, or moved."""

_STEP_S = 0.02
_UP_DB_PER_S = 2.0
_DOWN_DB_PER_S = 6.0
_DEAD_BAND_DB = 1.0  # closer than this to the target nobody hears a difference
_MEMORY_S = 2.0  # of the speech level, counted in speech, not in time
_SETTLE_S = 0.3  # of speech, before anything moves
_WINDOW_S = 1.5  # speech has a dip at least so often; a fan has none
_DIP_DB = 10.0
_FLOOR_DBFS = -70.0
_GATE_DBFS = -60.0  # below is no speech that a codec could carry, whatever it is


class AutoGain:
    """Mono float32, blocks of any length in, as many samples out, without delay.

    Every 20 ms it asks whether somebody speaks: louder than -60 dBFS, and 10 dB louder than the quietest 20 ms of the
    last 1.5 s. Only then the gain moves, at most 2 dB a second up and 6 down, towards TARGET_DBFS. So pauses, noise
    and hum are never pumped up: the gain stands still until the next word. Put a limiter behind it: a slow gain does
    not catch a shout. For one thread at a time.
    """

    def __init__(self, sample_rate: int) -> None:
        self._step = max(1, round(sample_rate * _STEP_S))
        self._levels: deque[float] = deque(maxlen=round(_WINDOW_S / _STEP_S))
        self._speech_energy = 0.0
        self._speech_steps = 0
        self._energy = 0.0  # of the step that is not full yet
        self._filled = 0
        self._from_db = 0.0
        self.gain_db = 0.0

    def process(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take a block `[T]` of finite samples, return as many."""
        out = np.empty(len(samples), dtype=np.float32)
        begin = 0
        while begin < len(samples):
            piece = samples[begin : begin + self._step - self._filled]
            out[begin : begin + len(piece)] = piece * self._gains(len(piece))
            self._energy += float(np.dot(piece, piece))
            self._filled += len(piece)
            begin += len(piece)
            if self._filled == self._step:
                self._end_step()
        return out

    def clear(self) -> None:
        """What comes next does not follow what came before. The gain stays: it is the same talker, most likely."""
        self._levels.clear()
        self._energy, self._filled, self._from_db = 0.0, 0, self.gain_db

    def _gains(self, count: int) -> NDArray[np.float32] | np.float32:
        """The gain of the next samples of this step: a straight line in amplitude, so that no edge is heard."""
        now, then = 10.0 ** (self._from_db / 20.0), 10.0 ** (self.gain_db / 20.0)
        if now == then:
            return np.float32(then)
        places = (np.arange(self._filled, self._filled + count, dtype=np.float32) + 1) / np.float32(self._step)
        return np.float32(now) + np.float32(then - now) * places

    def _end_step(self) -> None:
        energy = self._energy / self._step
        self._energy, self._filled = 0.0, 0
        self._from_db = self.gain_db
        level = to_dbfs(math.sqrt(energy))
        quietest = max(_FLOOR_DBFS, min(self._levels, default=level))
        self._levels.append(level)
        if level < _GATE_DBFS or level < quietest + _DIP_DB:
            return
        self._speech_steps += 1
        share = max(1.0 / self._speech_steps, _STEP_S / _MEMORY_S)
        self._speech_energy += (energy - self._speech_energy) * share
        if self._speech_steps * _STEP_S >= _SETTLE_S:
            self._move()

    def _move(self) -> None:
        wanted = TARGET_DBFS - to_dbfs(math.sqrt(self._speech_energy))
        wanted = max(-MAX_GAIN_DB, min(MAX_GAIN_DB, wanted))
        if abs(wanted - self.gain_db) > _DEAD_BAND_DB:
            change = wanted - self.gain_db
            self.gain_db += max(-_DOWN_DB_PER_S * _STEP_S, min(_UP_DB_PER_S * _STEP_S, change))
