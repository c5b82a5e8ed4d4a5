"""How loud speech is to the ear, by ITU-R BS.1770-4, so that nobody prefers a version because it is louder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DESIGN_RATE_HZ = 48000
# The two filters of the recommendation at 48 kHz (its tables 1 and 2): the head as a sphere, then what the ear leaves
# out below. Their response is taken at frequencies in Hz, so that other rates need no coefficients of their own.
_SHELF = (1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)
_HIGH_PASS = (1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)
_OFFSET_DB = -0.691
_BLOCK_S, _STEP_S = 0.4, 0.1
_SILENCE_LUFS = -70.0
_RELATIVE_GATE_DB = -10.0


def loudness_lufs(samples: NDArray[np.float32], rate: int) -> float | None:
    """Integrated loudness of mono `samples` [T], gated; None for what is silent or shorter than one block of 0.4 s."""
    block, step = round(_BLOCK_S * rate), round(_STEP_S * rate)
    if samples.size < block:
        return None
    weighted = _weighted(samples.astype(np.float64), rate)
    powers = np.square(np.lib.stride_tricks.sliding_window_view(weighted, block)[::step]).mean(axis=1)
    loud = powers[_lufs(powers) > _SILENCE_LUFS]
    if not loud.size:
        return None
    gate = float(_lufs(loud.mean())) + _RELATIVE_GATE_DB
    return float(_lufs(loud[_lufs(loud) > gate].mean()))


def _weighted(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Both filters at once, in the spectrum; silence behind the samples takes what rings on."""
    length = samples.size + rate
    turns = np.exp(-2j * np.pi * np.fft.rfftfreq(length, 1 / rate) / _DESIGN_RATE_HZ)
    response = np.ones_like(turns)
    for above, below in (_SHELF, _HIGH_PASS):
        response *= np.polyval(above[::-1], turns) / np.polyval(below[::-1], turns)
    return np.fft.irfft(np.fft.rfft(samples, length) * response, length)[: samples.size]


def _lufs(power: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    return np.asarray(_OFFSET_DB + 10 * np.log10(np.maximum(power, 1e-20)))
