"""Messages accepted and not yet handed to the socket: two bounded lanes. No I/O, no lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from protocol.transport.errors import OutboxFullError

RELIABLE_CAPACITY: Final = 256
MAX_RELIABLE_ATTEMPTS: Final = 5  # connections that may die with one message in flight before it is given up


@dataclass(slots=True, eq=False)  # two equal packets are still two packets
class Outgoing:
    """A message on its way out; `queued_at` in seconds of the connection's clock."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    queued_at: float
    expiry_s: int | None = None
    weight: int = 1
    reliable: bool = False
    attempts: int = 0


@dataclass(slots=True)
class DropCounters:
    """Live messages that were given up, by cause, and their weight."""

    overflow: int = 0
    stale: int = 0
    refused: int = 0
    unsent: int = 0
    weight: int = 0

    @property
    def messages(self) -> int:
        """All causes together."""
        return self.overflow + self.stale + self.refused + self.unsent


@dataclass(slots=True)
class Outbox:
    """A lane for live messages, where the oldest gives way, and one for messages that must not be dropped.

    The owner guards it with its lock. `capacity` and `max_age_s` bound the live lane in messages and in time: what
    is older than the players' patience only delays what is still wanted.
    """

    capacity: int
    max_age_s: float
    dropped: DropCounters = field(default_factory=DropCounters)
    _live: deque[Outgoing] = field(default_factory=deque)
    _reliable: deque[Outgoing] = field(default_factory=deque)

    def __post_init__(self) -> None:
        if self.capacity < 1 or self.max_age_s <= 0:
            raise ValueError(f"expected a capacity >= 1 and an age > 0, got {self.capacity} and {self.max_age_s}")

    def __len__(self) -> int:
        return len(self._live) + len(self._reliable)

    def is_full(self) -> bool:
        """Would another live message cost the oldest its place?"""
        return len(self._live) >= self.capacity

    def offer(self, message: Outgoing) -> None:
        """Accept a message. Raises OutboxFullError when the reliable lane is full."""
        if not message.reliable:
            self._live.append(message)
            self._trim()
            return
        if message.retain:
            # Of retained messages on one topic only the newest counts: manifests must not pile up during an outage.
            superseded = [other for other in self._reliable if other.retain and other.topic == message.topic]
            for other in superseded:
                self._reliable.remove(other)
        if len(self._reliable) >= RELIABLE_CAPACITY:
            raise OutboxFullError(
                f"{RELIABLE_CAPACITY} messages that must not be lost already wait for the broker; "
                f"refused another for {message.topic}"
            )
        self._reliable.append(message)

    def take_reliable(self) -> Outgoing | None:
        """The next message of the reliable lane."""
        return self._reliable.popleft() if self._reliable else None

    def take_live(self, now: float) -> Outgoing | None:
        """The next live message that is not too old; older ones are dropped and counted."""
        while self._live:
            message = self._live.popleft()
            if now - message.queued_at <= self.max_age_s:
                return message
            self.dropped.stale += 1
            self.dropped.weight += message.weight
        return None

    def next_live(self) -> Outgoing | None:
        """The oldest live message, left where it is; None when none waits."""
        return self._live[0] if self._live else None

    def put_back(self, messages: Iterable[Outgoing]) -> None:
        """Return messages, oldest first, that were in flight on a connection that is gone; they go out first."""
        for message in reversed(list(messages)):
            (self._reliable if message.reliable else self._live).appendleft(message)
        self._trim()

    def refuse(self, message: Outgoing) -> None:
        """Count a live message that the broker does not take."""
        self.dropped.refused += 1
        self.dropped.weight += message.weight

    def abandon(self) -> list[Outgoing]:
        """Empty both lanes for good: live messages are counted as unsent, the reliable ones are returned."""
        self.dropped.unsent += len(self._live)
        self.dropped.weight += sum(message.weight for message in self._live)
        self._live.clear()
        reliable = list(self._reliable)
        self._reliable.clear()
        return reliable

    def _trim(self) -> None:
        while len(self._live) > self.capacity:
            self.dropped.overflow += 1
            self.dropped.weight += self._live.popleft().weight
