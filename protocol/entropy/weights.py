"""How likely a code is, as one byte: a little floating-point number, so that a table is small and exact everywhere."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_MANTISSA: Final = 16

MAX_TOTAL: Final = 1 << 16
"""Of the weights of one row: what the range coder's 32 bits divide well by."""


def weight(byte: int) -> int:
    """1 to 31 as they are; above, four bits behind the leading one and the rest for the exponent.

    Two neighbours differ by at most a sixteenth: what rounding to them costs is far below a hundredth of a bit a code.
    """
    return byte if byte < _MANTISSA else (_MANTISSA + byte % _MANTISSA) << (byte // _MANTISSA - 1)


WEIGHTS: Final[NDArray[np.int64]] = np.array([weight(byte) for byte in range(256)], dtype=np.int64)
"""The weight of every byte; it rises with the byte. Byte 0 is 0, and never stands in a table."""


def quantised_row(chances: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The bytes of a row of chances [V], each above 0: none is 0, and together they weigh at most MAX_TOTAL."""
    scale = MAX_TOTAL / chances.sum()
    while True:
        wanted = np.maximum(chances * scale, 1.0)
        above = np.clip(np.searchsorted(WEIGHTS, wanted), 2, 255)
        nearer = np.where(wanted - WEIGHTS[above - 1] <= WEIGHTS[above] - wanted, above - 1, above)
        if int(WEIGHTS[nearer].sum()) <= MAX_TOTAL:
            row: NDArray[np.uint8] = nearer.astype(np.uint8)
            return row
        scale *= 0.995
