"""One direction of an emulated link. Pure: no clock, no device; time and packets are arguments."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence

from tests.faults.impairment import Spell, impairment_at


class Line:
    """Packets go in with `put` and come out of `take` when they are due. Equal seeds and calls give equal results.

    Order of what happens to a packet: dark, loss, rate with its queue, delay. Times in seconds after the faults begin;
    negative ones are before, when nothing is wrong.
    """

    def __init__(self, spells: Sequence[Spell], *, seed: int) -> None:
        self._spells = tuple(spells)
        self._dice = random.Random(seed)
        self._free_at = float("-inf")  # when the rate limiter has sent all that waits
        self._waiting: list[tuple[float, int, bytes]] = []
        self._count = 0
        self.passed = 0
        self.passed_bytes = 0
        self.lost = 0

    def put(self, now: float, packet: bytes) -> None:
        """A packet arrives at the near end."""
        due = self._due(now, len(packet))
        if due is None:
            self.lost += 1
            return
        heapq.heappush(self._waiting, (due, self._count, packet))
        self._count += 1

    def take(self, now: float) -> list[bytes]:
        """The packets that have arrived at the far end by now, in the order in which they do."""
        arrived = []
        while self._waiting and self._waiting[0][0] <= now:
            arrived.append(heapq.heappop(self._waiting)[2])
        self.passed += len(arrived)
        self.passed_bytes += sum(map(len, arrived))
        return arrived

    @property
    def next_at(self) -> float | None:
        """When the next packet arrives; None while there is none on its way."""
        return self._waiting[0][0] if self._waiting else None

    def _due(self, now: float, size: int) -> float | None:
        """When a packet of `size` bytes arrives; None where it is lost."""
        # Both dice for every packet: what one of them shows does not change what later packets meet.
        luck, spread = self._dice.random(), self._dice.uniform(-1.0, 1.0)
        impairment = impairment_at(self._spells, now)
        if impairment.dark or luck < impairment.loss:
            return None
        sent_at = now
        if impairment.rate_kbps is not None:
            bytes_per_s = impairment.rate_kbps * 1000 / 8
            begins_at = max(now, self._free_at)
            if (begins_at - now) * bytes_per_s + size > impairment.queue_bytes:
                return None
            self._free_at = sent_at = begins_at + size / bytes_per_s
        return sent_at + (impairment.delay_ms + spread * impairment.jitter_ms) / 1000
