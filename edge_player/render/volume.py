"""How loud: per cent to gain, and from one to the other without a click."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RAMP_S = 0.02
"""From silence to full scale; shorter is heard as a click."""


def gain_of(percent: float) -> float:
    """Amplitude factor of a volume in per cent, 0 to 100: its cube.

    Loudness follows the logarithm of the amplitude; the cube comes close and reaches 0. 50 % is -18 dB, 25 % -36 dB.
    PulseAudio and the mixers of the desktops use the same curve.
    """
    return (percent / 100.0) ** 3


class Volume:
    """A gain that is changed from any thread and applied by one. At 100 % samples pass unchanged, bit for bit."""

    def __init__(self, percent: float = 100.0, *, mute: bool = False) -> None:
        """`percent`: 0 to 100."""
        self._percent = percent
        self._mute = mute
        self._gain = self._target

    def set(self, *, percent: float | None = None, mute: bool | None = None) -> None:
        """From the next samples on, over RAMP_S. None leaves a part as it is."""
        if percent is not None:
            if not 0.0 <= percent <= 100.0:
                raise ValueError(f"a volume is 0 to 100 per cent, not {percent}")
            self._percent = percent
        if mute is not None:
            self._mute = mute

    def apply(self, samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
        """Samples [n] at `sample_rate` in Hz, louder or softer. What comes in is not changed."""
        target = self._target
        if self._gain != target and len(samples):
            return samples * self._ramp(target, len(samples), sample_rate)
        if target == 1.0:
            return samples
        return samples * np.float32(target)

    @property
    def _target(self) -> float:
        return 0.0 if self._mute else gain_of(self._percent)

    def _ramp(self, target: float, count: int, sample_rate: int) -> NDArray[np.float32]:
        """A straight line towards the target; it goes on with the next block where this one is too short."""
        step = 1.0 / (RAMP_S * sample_rate)
        if target < self._gain:
            step = -step
        low, high = sorted((self._gain, target))
        gains = np.clip(self._gain + step * np.arange(1, count + 1), low, high)
        self._gain = float(gains[-1])
        ramp: NDArray[np.float32] = gains.astype(np.float32)
        return ramp
