"""What the blocks of a recording say of a fault: how much was heard, when sound was back, how late it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from tests.faults.course import BACK_FOR_S, BACK_SHARE
from tests.faults.peers.measure import BLOCK_S, Heard

_SETTLED_S: Final = 3.0
"""The lag before the fault and at the end is the median of so long."""


def heard_percent(heard: Sequence[Heard], start: float, end: float) -> float | None:
    """Share of the time in which true sound came out, however old; None where no time passed."""
    blocks = round((end - start) / BLOCK_S)
    true = sum(start <= block.at < end for block in heard if block.age_s is not None)
    return min(100.0, 100 * true / blocks) if blocks > 0 else None


def back_s(heard: Sequence[Heard], repaired_at: float) -> float | None:
    """Seconds from the repair until sound was true for a second, all but a fifth; None where it never was."""
    ends_at = max((block.at for block in heard), default=repaired_at)
    for first in heard:
        if first.at < repaired_at or first.age_s is None:
            continue
        if first.at + BACK_FOR_S > ends_at:
            return None
        true = sum(first.at <= block.at < first.at + BACK_FOR_S for block in heard if block.age_s is not None)
        if true * BLOCK_S >= BACK_SHARE * BACK_FOR_S:
            return first.at - repaired_at
    return None


def lag_s(heard: Sequence[Heard], until: float) -> float | None:
    """From source to sound, the median of the last seconds before `until`; None where there was none."""
    ages = list(_ages(heard, until - _SETTLED_S, until))
    return median(ages) if ages else None


def oldest_s(heard: Sequence[Heard], start: float, end: float) -> float | None:
    """Age of the oldest sound that came out in that time."""
    return max(_ages(heard, start, end), default=None)


def _ages(heard: Sequence[Heard], start: float, end: float) -> Iterable[float]:
    return (block.age_s for block in heard if block.age_s is not None and start <= block.at < end)
