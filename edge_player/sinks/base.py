"""What a sink is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from edge_player.render.ring import PcmRing
from protocol.service import WatchedPart


class AudioSink(Protocol):
    """Takes samples out of a ring as time goes by. Not reusable; `stop` may be called twice."""

    @property
    def sample_rate(self) -> int:
        """Hz; the ring holds samples at this rate. A card may come back at another one: see `attach`."""

    @property
    def lead_s(self) -> float:
        """How much sound the ring has to hold so that this sink never finds it empty."""

    @property
    def latency_s(self) -> float:
        """From the moment a sample leaves the ring until it is heard or written."""

    @property
    def failure(self) -> Exception | None:
        """Why it stopped by itself, if it did."""

    @property
    def description(self) -> str:
        """For people."""

    @property
    def counters(self) -> Mapping[str, int]:
        """What it counted, by name, for the statistics."""

    @property
    def parts(self) -> Sequence[WatchedPart]:
        """Its threads, for whoever looks after them; from any thread."""

    def start(self, ring: PcmRing) -> None:
        """Begin to empty `ring`. Raises SinkError."""

    def attach(self, ring: PcmRing, sample_rate: int) -> None:
        """Go on with another ring, made because `sample_rate` has changed. From the thread that fills it."""

    def stop(self) -> None:
        """End at once, close everything."""
