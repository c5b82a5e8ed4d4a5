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
    """A message on its way out; `queued_at` in seconds of the connection's clock.

    drop_precedence: of live messages that compete, those with a higher one wait longer and are dropped sooner.
    max_age_s: of this message; None: the outbox's own.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    queued_at: float
    expiry_s: int | None = None
    weight: int = 1
    reliable: bool = False
    drop_precedence: int = 0
    max_age_s: float | None = None
    attempts: int = 0


@dataclass(slots=True)
class DropCounters:
    """Live messages that were given up, by cause, and their weight; `yielding` of them had a drop precedence."""

    overflow: int = 0
    stale: int = 0
    refused: int = 0
    unsent: int = 0
    weight: int = 0
    yielding: int = 0

    @property
    def messages(self) -> int:
        """All causes together."""
        return self.overflow + self.stale + self.refused + self.unsent

    def add(self, message: Outgoing) -> None:
        """What a message takes with it, whatever the cause."""
        self.weight += message.weight
        self.yielding += message.drop_precedence > 0


@dataclass(slots=True)
class Outbox:
    """A lane for live messages, where the oldest gives way, and one for messages that must not be dropped.

    Live messages with a drop precedence stand behind all that have a lower one: they are sent last, and where there
    are too many the oldest of the highest precedence gives way. `capacity` and `max_age_s` bound the live lane in
    messages and in time: what is older than the players' patience only delays what is still wanted. The owner guards
    all of it with its lock.
    """

    capacity: int
    max_age_s: float
    dropped: DropCounters = field(default_factory=DropCounters)
    _live: dict[int, deque[Outgoing]] = field(default_factory=dict)  # by drop precedence
    _reliable: deque[Outgoing] = field(default_factory=deque)

    def __post_init__(self) -> None:
        if self.capacity < 1 or self.max_age_s <= 0:
            raise ValueError(f"expected a capacity >= 1 and an age > 0, got {self.capacity} and {self.max_age_s}")

    def __len__(self) -> int:
        return self._waiting + len(self._reliable)

    def is_full(self) -> bool:
        """Would another live message cost the oldest its place?"""
        return self._waiting >= self.capacity

    def offer(self, message: Outgoing) -> None:
        """Accept a message. Raises OutboxFullError when the reliable lane is full."""
        if not message.reliable:
            self._queue_of(message).append(message)
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
        while (queue := self._next_queue()) is not None:
            message = queue.popleft()
            limit_s = self.max_age_s if message.max_age_s is None else message.max_age_s
            if now - message.queued_at <= limit_s:
                return message
            self.dropped.stale += 1
            self.dropped.add(message)
        return None

    def next_live(self) -> Outgoing | None:
        """The live message whose turn it is, left where it is; None when none waits."""
        queue = self._next_queue()
        return None if queue is None else queue[0]

    def put_back(self, messages: Iterable[Outgoing]) -> None:
        """Return messages, oldest first, that were in flight on a connection that is gone; they go out first."""
        for message in reversed(list(messages)):
            (self._reliable if message.reliable else self._queue_of(message)).appendleft(message)
        self._trim()

    def refuse(self, message: Outgoing) -> None:
        """Count a live message that the broker does not take."""
        self.dropped.refused += 1
        self.dropped.add(message)

    def abandon(self) -> list[Outgoing]:
        """Empty both lanes for good: live messages are counted as unsent, the reliable ones are returned."""
        for message in (message for queue in self._live.values() for message in queue):
            self.dropped.unsent += 1
            self.dropped.add(message)
        self._live.clear()
        reliable = list(self._reliable)
        self._reliable.clear()
        return reliable

    @property
    def _waiting(self) -> int:
        """Live messages of any precedence."""
        return sum(len(queue) for queue in self._live.values())

    def _queue_of(self, message: Outgoing) -> deque[Outgoing]:
        return self._live.setdefault(message.drop_precedence, deque())

    def _next_queue(self) -> deque[Outgoing] | None:
        """The one with the lowest precedence of those that are not empty."""
        waiting = [precedence for precedence, queue in self._live.items() if queue]
        return self._live[min(waiting)] if waiting else None

    def _trim(self) -> None:
        while self._waiting > self.capacity:
            last = max(precedence for precedence, queue in self._live.items() if queue)
            self.dropped.overflow += 1
            self.dropped.add(self._live[last].popleft())
