"""What came from the network and was not looked at yet: the queue between paho's thread and the player worker."""

from __future__ import annotations

import enum
import threading
from collections import deque
from dataclasses import dataclass

TOKEN_CAPACITY = 256
"""Packets; 20 s of the smallest ones. Only a worker that hangs lets so many wait."""

CONTROL_CAPACITY = 64
"""Manifests, events, statuses."""


class InboxKind(enum.Enum):
    """What a message is; the topic it came on says so."""

    MANIFEST = "manifest"
    EVENT = "event"
    GATEWAY_STATUS = "gateway_status"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A payload as it came, when (seconds, the player's clock), for tokens on which tier, and over which connection:
    0 is the first one.
    """

    kind: InboxKind
    payload: bytes
    received_at: float
    tier: int = 0
    retained: bool = False
    connection: int = 0


class Inbox:
    """Bounded on both lanes; the oldest gives way and is counted. `put` from any thread, `take` from the worker."""

    def __init__(self, *, token_capacity: int = TOKEN_CAPACITY, control_capacity: int = CONTROL_CAPACITY) -> None:
        self._tokens: deque[InboxMessage] = deque(maxlen=token_capacity)
        self._control: deque[InboxMessage] = deque(maxlen=control_capacity)
        self._filled = threading.Condition()
        self.tokens_dropped = 0
        self.control_dropped = 0

    def put(self, message: InboxMessage) -> None:
        """Never waits, never raises."""
        with self._filled:
            if message.kind is InboxKind.TOKENS:
                self.tokens_dropped += len(self._tokens) == self._tokens.maxlen
                self._tokens.append(message)
            else:
                self.control_dropped += len(self._control) == self._control.maxlen
                self._control.append(message)
            self._filled.notify()

    def wake(self) -> None:
        """Let a waiting `take` return with nothing."""
        with self._filled:
            self._filled.notify()

    def take(self, timeout_s: float) -> list[InboxMessage]:
        """All that waits, or after at most `timeout_s` nothing. Control first: the manifest explains the packets."""
        with self._filled:
            if not self._tokens and not self._control and timeout_s > 0:
                self._filled.wait(timeout_s)
            messages = [*self._control, *self._tokens]
            self._control.clear()
            self._tokens.clear()
        return messages
