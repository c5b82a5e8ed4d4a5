"""The last queue before the sound card: samples, no locks, nothing allocated after the start."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class PcmRing:
    """Mono float32 samples from one writer thread to one reader thread.

    Neither side ever waits or takes a lock: each owns one counter and only reads the other's, and Python replaces an
    integer attribute in one step. The reader may be the PortAudio callback.

    `active` is the writer's word that sound is due: only then is an empty ring an underrun.
    """

    def __init__(self, capacity: int) -> None:
        """`capacity` in samples."""
        if capacity < 1:
            raise ValueError(f"a ring holds at least 1 sample, not {capacity}")
        self._samples: NDArray[np.float32] = np.zeros(capacity, dtype=np.float32)
        self._capacity = capacity
        self._written = 0
        self._read = 0
        self._starving = False
        self.active = False
        self.underruns = 0
        self.underrun_samples = 0

    @property
    def level(self) -> int:
        """Samples waiting to be read."""
        return self._written - self._read

    @property
    def free(self) -> int:
        """Samples that fit."""
        return self._capacity - self.level

    @property
    def total_read(self) -> int:
        """Samples read since the start."""
        return self._read

    def write(self, samples: NDArray[np.float32]) -> int:
        """Append what fits; returns how many samples were taken. Writer thread only."""
        count = min(len(samples), self.free)
        start = self._written % self._capacity
        first = min(count, self._capacity - start)
        self._samples[start : start + first] = samples[:first]
        self._samples[: count - first] = samples[first:count]
        self._written += count  # last, so that the reader never sees samples that are not there yet
        return count

    def read_into(self, out: NDArray[np.float32]) -> int:
        """Copy up to len(out) samples, return how many; the rest of `out` is left as it was. Reader thread only."""
        count = min(len(out), self.level)
        start = self._read % self._capacity
        first = min(count, self._capacity - start)
        out[:first] = self._samples[start : start + first]
        out[first:count] = self._samples[: count - first]
        self._read += count
        return count

    def fill(self, out: NDArray[np.float32]) -> int:
        """As `read_into`, and zeros for the rest: what a sound card needs. Counts underruns, one an episode."""
        count = self.read_into(out)
        if count == len(out):
            self._starving = False
            return count
        out[count:] = 0.0
        if self.active:
            self.note_underrun(len(out) - count)
        return count

    def note_underrun(self, samples: int) -> None:
        """So many samples were wanted and not there while sound was due. Reader thread only."""
        self.underrun_samples += samples
        if not self._starving:
            self._starving = True
            self.underruns += 1

    def drop(self, count: int) -> int:
        """Pass over up to `count` samples; returns how many there were. Reader thread only."""
        dropped = min(count, self.level)
        self._read += dropped
        return dropped

    def successor(self, capacity: int) -> PcmRing:
        """An empty ring of another size that counts on from here and of which as much is due. Writer thread only."""
        ring = PcmRing(capacity)
        ring.active = self.active
        ring.underruns, ring.underrun_samples = self.underruns, self.underrun_samples
        return ring
