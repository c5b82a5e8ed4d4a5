"""Sound in memory: arrays of any usual shape and type, taken for what they are or refused, never guessed at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.audio.decoders import MAX_CHANNELS, MAX_RATE, MIN_RATE
from codec.checks import MAX_AMPLITUDE
from codec.errors import AudioInputError

MAX_ARRAY_CHANNELS = 8
"""7.1 surround. An axis that is longer is rather a batch of recordings, which belongs into a list."""

BLOCK_SAMPLES = 1 << 16
"""Samples per channel that are converted at once."""

_UNSCALED_SHARE = 0.01
"""More than this share of float samples beyond 18 dB over full scale: integers that were never divided."""

_INTEGERS = {
    np.dtype(np.uint8): (128.0, 128.0),
    np.dtype(np.int16): (0.0, 32768.0),
    np.dtype(np.int32): (0.0, 2147483648.0),
}
"""Zero and full scale of the integer types that sound is kept in."""


class ArrayDecoder:
    """An array as `codec.audio.decoders.FileDecoder`: blocks of float32 [T, channels]. Raises AudioInputError."""

    def __init__(self, array: object, rate: object) -> None:
        self.sample_rate = _checked_rate(rate)
        samples = _as_array(array)
        self._samples = _time_first(samples)
        if self._samples.size == 0:
            raise AudioInputError(f"There is no sound in an array of shape {list(samples.shape)}: it is empty")
        self._scale = _INTEGERS.get(samples.dtype.newbyteorder("="))
        if self._scale is None:
            _refuse_unscaled(samples)
        self.channels: int = self._samples.shape[1]
        self.duration_s: float | None = len(self._samples) / self.sample_rate
        self.damaged_packets = 0
        self._position = 0

    def read(self) -> NDArray[np.float32] | None:
        """The next block [T, channels], or None at the end."""
        block = self._samples[self._position : self._position + BLOCK_SAMPLES]
        self._position += len(block)
        if not len(block):
            return None
        if self._scale is None:
            with np.errstate(over="ignore"):  # 1e300 becomes infinite, which is counted and replaced
                return block.astype(np.float32)
        zero, full = self._scale
        return ((block - zero) / full).astype(np.float32)

    def close(self) -> None:
        """See FileDecoder."""
        self._samples = self._samples[:0]


def _checked_rate(rate: object) -> int:
    if isinstance(rate, bool | np.bool_) or not isinstance(rate, int | float | np.integer | np.floating):
        raise AudioInputError(f"A sample rate is a number of Hz, not {type(rate).__name__}")
    if not MIN_RATE <= rate <= MAX_RATE or rate != int(rate):
        raise AudioInputError(f"A sample rate is a whole number of {MIN_RATE} to {MAX_RATE} Hz, not {rate}")
    return int(rate)


def _as_array(value: Any) -> NDArray[Any]:
    """numpy's view of an array or of a tensor, which may lie on a GPU or be tracked for gradients."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if value.dtype.is_floating_point:
            value = value.float()  # numpy has no bfloat16
    if not hasattr(value, "__array__"):
        raise AudioInputError(f"Sound is a numpy array or a tensor of samples, not {type(value).__name__}")
    array = np.asarray(value)
    if array.dtype.kind != "f" and array.dtype.newbyteorder("=") not in _INTEGERS:
        raise AudioInputError(
            f"Samples are floats between -1 and 1, int16, int32 or uint8, not {array.dtype}: which value is full scale?"
        )
    return array


def _time_first(samples: NDArray[Any]) -> NDArray[Any]:
    """[T, channels] of [T], [T, channels] or [channels, T], where the shape leaves no doubt."""
    if samples.ndim == 1:
        return samples[:, np.newaxis]
    if samples.ndim != 2:
        raise AudioInputError(
            f"One recording is [samples], [samples, channels] or [channels, samples], not {list(samples.shape)}: "
            "give several as a list"
        )
    short, long = sorted(samples.shape)
    if short == 0:
        return samples.reshape(0, 1)
    if short > MAX_ARRAY_CHANNELS or long <= MAX_CHANNELS:
        raise AudioInputError(
            f"Which axis of {list(samples.shape)} is time? Expected [samples], or [samples, channels] or [channels, "
            f"samples] with up to {MAX_ARRAY_CHANNELS} channels and more than {MAX_CHANNELS} samples; give several "
            "recordings as a list"
        )
    return samples if samples.shape[0] == long else samples.T


def _refuse_unscaled(samples: NDArray[Any]) -> None:
    """Raise AudioInputError for floats that hold integers; single absurd samples are the reader's to replace."""
    if samples.min() >= -MAX_AMPLITUDE and samples.max() <= MAX_AMPLITUDE:
        return
    finite = samples[np.isfinite(samples)]
    beyond = np.count_nonzero(np.abs(finite) > MAX_AMPLITUDE)
    if beyond > _UNSCALED_SHARE * samples.size:
        raise AudioInputError(
            f"Samples up to {np.abs(finite).max():g} are no floats between -1 and 1: divide by full scale first, "
            "by 32768 for 16-bit sound"
        )
