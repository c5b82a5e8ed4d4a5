"""What a bad link does to packets, and from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DEFAULT_QUEUE_BYTES = 6000
"""What waits for a slow link: 6 s at 8 kbit/s, as a modem that buffers too much has it."""


@dataclass(frozen=True, slots=True)
class Impairment:
    """loss: share of packets, 0 to 1. delay_ms, jitter_ms: each packet is late by delay ± jitter, by its own dice, so
    that it may overtake others. rate_kbps: bits a second of IP packets, in thousands; None for no limit. queue_bytes:
    what may wait for that rate; the packet that does not fit is lost. dark: nothing passes.
    """

    loss: float = 0.0
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    rate_kbps: float | None = None
    queue_bytes: int = DEFAULT_QUEUE_BYTES
    dark: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.loss <= 1:
            raise ValueError(f"loss is {self.loss}, expected 0 to 1")
        if not 0 <= self.jitter_ms <= self.delay_ms:
            raise ValueError(f"jitter of {self.jitter_ms} ms, expected 0 to the delay of {self.delay_ms} ms")
        if self.rate_kbps is not None and self.rate_kbps <= 0:
            raise ValueError(f"rate of {self.rate_kbps} kbit/s, expected more than 0")


CLEAR = Impairment()


@dataclass(frozen=True, slots=True)
class Spell:
    """An impairment from `start_s` to `end_s`, seconds after the faults begin."""

    start_s: float
    end_s: float
    impairment: Impairment

    def __post_init__(self) -> None:
        if not self.start_s < self.end_s:
            raise ValueError(f"a spell from {self.start_s} to {self.end_s} s")


def impairment_at(spells: Sequence[Spell], at_s: float) -> Impairment:
    """What holds at that time: of the first spell that covers it, or nothing."""
    return next((spell.impairment for spell in spells if spell.start_s <= at_s < spell.end_s), CLEAR)
