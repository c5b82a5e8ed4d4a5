"""Takes away rumble: a second-order Butterworth high-pass, 12 dB per octave below its cut-off.

Why not a library: SciPy is too much for a small gateway, and FFmpeg's filter graph makes a queue of one's own frames,
with its own blocks and no way to start afresh after a gap. The filter is two numbers of state.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["HighPass"]

_BLOCK = 64  # samples done by one matrix product; the result does not depend on it
_ASLEEP = 1e-30  # state this small is silence; left alone it would decay into slow denormals


class HighPass:
    """Mono float32, blocks of any length; sample by sample the same as one long block, and without delay.

    cutoff_hz: -3 dB there. The coefficients are those of the bilinear transform (R. Bristow-Johnson, "Audio EQ
    cookbook", Q = 1/sqrt 2). Instead of a loop over samples in Python, each run of up to 64 is one product with the
    impulse response plus what the two state variables still ring. For one thread at a time.
    """

    def __init__(self, cutoff_hz: float, sample_rate: int) -> None:
        if not 0 < cutoff_hz < sample_rate / 2:
            raise ValueError(f"a high-pass cuts between 0 and {sample_rate / 2:g} Hz, asked for {cutoff_hz:g}")
        b, a = _butterworth(cutoff_hz, sample_rate)
        # Transposed direct form II as state space: y = s[0] + b0 x, s' = step s + drive x.
        step = np.array([[-a[0], 1.0], [-a[1], 0.0]])
        drive = np.array([b[1] - a[0] * b[0], b[2] - a[1] * b[0]])
        powers = [np.eye(2)]
        for _ in range(_BLOCK):
            powers.append(step @ powers[-1])
        self._powers = powers
        self._ringing = np.array([power[0] for power in powers[:_BLOCK]])  # [64, 2]: state to output
        self._filling = np.array([powers[_BLOCK - 1 - n] @ drive for n in range(_BLOCK)]).T  # [2, 64]: input to state
        response = np.array([b[0], *(float(power[0] @ drive) for power in powers[: _BLOCK - 1])])
        rows, columns = np.indices((_BLOCK, _BLOCK))
        self._response = np.where(rows >= columns, response[np.maximum(rows - columns, 0)], 0.0)
        self._state = np.zeros(2)

    def process(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take a block `[T]` of finite samples, return as many."""
        out = np.empty(len(samples), dtype=np.float32)
        for begin in range(0, len(samples), _BLOCK):
            piece = samples[begin : begin + _BLOCK].astype(np.float64)
            count = len(piece)
            out[begin : begin + count] = self._response[:count, :count] @ piece + self._ringing[:count] @ self._state
            self._state = self._powers[count] @ self._state + self._filling[:, _BLOCK - count :] @ piece
        if np.abs(self._state).max() < _ASLEEP:
            self._state[:] = 0.0
        return out

    def clear(self) -> None:
        """Forget the past: what comes next does not follow what came before."""
        self._state = np.zeros(2)


def _butterworth(cutoff_hz: float, sample_rate: int) -> tuple[list[float], list[float]]:
    """Numerator b0 b1 b2 and denominator a1 a2 (a0 = 1)."""
    omega = 2.0 * math.pi * cutoff_hz / sample_rate
    cosine, alpha = math.cos(omega), math.sin(omega) / math.sqrt(2.0)
    scale = 1.0 / (1.0 + alpha)
    half = (1.0 + cosine) / 2.0 * scale
    return [half, -2.0 * half, half], [-2.0 * cosine * scale, (1.0 - alpha) * scale]
