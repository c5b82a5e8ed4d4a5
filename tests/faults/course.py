"""What a player's counters over time say: how much was heard, and when sound came back. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

FRAME_S: Final = 0.08
BACK_FOR_S: Final = 1.0
BACK_SHARE: Final = 0.8
"""Sound is back when four frames of five were true for a second."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Frames played so far, at a time in seconds."""

    at: float
    played: int


def recovery_s(samples: Sequence[Sample], repaired_at: float) -> float | None:
    """Seconds from the repair until sound was back; None where it never was."""
    for number, first in enumerate(samples):
        if first.at < repaired_at:
            continue
        later = next((sample for sample in samples[number:] if sample.at >= first.at + BACK_FOR_S), None)
        if later is None:
            return None
        if (later.played - first.played) * FRAME_S >= BACK_SHARE * (later.at - first.at):
            return first.at - repaired_at
    return None


def heard_share(samples: Sequence[Sample], start: float, end: float) -> float:
    """Share of the time between `start` and `end` in which what sounded was true, at most 1."""
    if not samples or end <= start:
        return 0.0
    played = (_played_at(samples, end) - _played_at(samples, start)) * FRAME_S
    return min(1.0, played / (end - start))


def _played_at(samples: Sequence[Sample], at: float) -> float:
    """Frames played until then, along a straight line between samples."""
    before = max((s for s in samples if s.at <= at), key=lambda s: s.at, default=samples[0])
    after = min((s for s in samples if s.at >= at), key=lambda s: s.at, default=samples[-1])
    if after.at <= before.at:
        return before.played
    return before.played + (after.played - before.played) * (at - before.at) / (after.at - before.at)
