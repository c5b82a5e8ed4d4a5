"""What was said into the mouth, and what of it was heard at the ear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.room.listening import Heard
from benchmarks.soak.warm_up import hourly_trend
from benchmarks.trend import Trend


@dataclass(slots=True)
class Listening:
    """Utterances said so far, and those that were heard: in the round that began when, and how much later, ms.

    rounds, unsaid_rounds: all, and those that tell nothing because the room did not even say them.
    """

    said: int = 0
    at_s: list[float] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    rounds: int = 0
    unsaid_rounds: int = 0

    def add(self, round_s: float, results: Sequence[Heard]) -> None:
        """A round that began at `round_s` of the run."""
        found = [1000.0 * result.latency_s for result in results if result.latency_s is not None]
        self.rounds += 1
        self.said += len(results)
        self.latency_ms += found
        self.at_s += [round_s] * len(found)

    def add_unsaid(self) -> None:
        """A round of which the room swallowed something before anybody could hear it."""
        self.rounds += 1
        self.unsaid_rounds += 1

    @property
    def heard(self) -> int:
        """Utterances that came out of the loudspeaker."""
        return len(self.latency_ms)

    @property
    def drift_ms_per_h(self) -> Trend:
        """How fast the latency changed after the warm-up."""
        return hourly_trend(self.at_s, self.latency_ms)
