"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum
from typing import Final

FIRST_DELAY_S: Final = 0.25
MAX_DELAY_S: Final = 3.0
STABLE_AFTER_S: Final = 10.0  # a connection that lived so long was a good one: start from the first delay again
REFUSED_DELAY_S: Final = (30.0, 60.0)  # for a person or a clock to put right what is wrong
MAX_SHORT_LIVES: Final = 4  # connections in a row, each lost before it was stable: somebody throws us out
TAKEN_OVER_DELAY_S: Final = (5.0, 15.0)  # two devices with one id would otherwise throw each other out for ever


class EndReason(Enum):
    """Why an attempt to connect, or a connection, came to its end."""

    CLOSED = "closed by us"
    UNREACHABLE = "unreachable"
    NO_ANSWER = "no answer"
    LOST = "lost"
    VERSION_REFUSED = "protocol version refused"
    LOGIN_REFUSED = "login refused"
    REFUSED = "refused"
    TAKEN_OVER = "taken over"
    TLS_REFUSED = "TLS refused"


REFUSALS: Final = frozenset({EndReason.LOGIN_REFUSED, EndReason.TLS_REFUSED})
"""What does not become right by asking often."""


class Backoff:
    """Exponential with full jitter and a cap: after an outage a thousand players come back spread out, not at once."""

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._uniform = uniform
        self._failures = 0
        self._short_lives = 0

    @property
    def suspects_twin(self) -> bool:
        """Have we been thrown out so often that another device may use our id? Not every broker says so."""
        return self._short_lives >= MAX_SHORT_LIVES

    def next_delay(self, reason: EndReason, *, lived_s: float = 0.0) -> float:
        """Seconds to wait after an attempt that ended so; `lived_s` is how long it was connected."""
        if reason in REFUSALS:
            return self._uniform(*REFUSED_DELAY_S)
        if lived_s >= STABLE_AFTER_S:
            self._failures = 0
            self._short_lives = 0
        elif lived_s > 0 and reason is EndReason.LOST:
            self._short_lives += 1
        if reason is EndReason.TAKEN_OVER or self.suspects_twin:
            return self._uniform(*TAKEN_OVER_DELAY_S)
        ceiling = min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return self._uniform(0.0, ceiling)
