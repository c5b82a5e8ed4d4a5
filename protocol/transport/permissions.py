"""What the broker does not let us do, and how we find out. No I/O; the network thread writes, any thread reads.

MQTT 5 answers a forbidden PUBLISH at QoS 1 with a reason. What is published at QoS 0 only, and all of MQTT 3.1.1, gets
no answer: the message is thrown away in silence. So `verify` names topics to be sure of:

- MQTT 5: the first message there of each connection goes at QoS 1, and so does every one while the broker says no.
  6 to 8 bytes more, once: packet id, and a PUBACK.
- MQTT 3.1.1: right after connecting we subscribe to the topic, and leave it as soon as a message of ours has come
  back. SUBSCRIBE and SUBACK, UNSUBSCRIBE and UNSUBACK are 22 + 2 * the topic's bytes, and what is published meanwhile
  comes back: one or two packets. Where none has come back ECHO_TIMEOUT_S after the first, we may not publish, or not
  read; which of the two, only the broker knows.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from protocol.transport.answers import Objection
from protocol.transport.errors import NotAuthorisedError

ECHO_TIMEOUT_S: Final = 8.0  # twice the worst round trip that the profile for narrow links bears
ECHO_MEMORY: Final = 8  # messages of ours to know again: of the first that go out, one comes back


@dataclass(frozen=True, slots=True)
class PublishRefusal:
    """The broker does not take what we publish on `topic`.

    certain: it said so. Otherwise it was silent, and it may be that we only must not read there.
    not_authorised: trying again does not help.
    """

    topic: str
    reason: str
    certain: bool = True
    not_authorised: bool = True

    def describe(self, as_whom: str) -> str:
        """A clause for people; `as_whom` from BrokerConfig."""
        if self.certain:
            return f"we may not publish on {self.topic} {as_whom} ({self.reason}); check the broker's access list"
        return (
            f"what we publish on {self.topic} {as_whom} does not come back within {ECHO_TIMEOUT_S:g} s: we may not "
            "publish there, or may not read what we publish (MQTT 3.1.1 does not tell); check the broker's access list"
        )


@dataclass(slots=True)
class _Echo:
    """Waiting for our own message on one connection of MQTT 3.1.1."""

    sent: deque[bytes] = field(default_factory=lambda: deque(maxlen=ECHO_MEMORY))
    deadline: float | None = None  # set by the first message
    over: bool = False


class Permissions:
    """Refusals by topic, and the two ways of `verify`. clock: real seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._verified: tuple[str, ...] = ()
        self._taken: set[str] = set()  # topics of which a message was taken on this connection
        self._trying: set[str] = set()
        self._refused: dict[str, PublishRefusal] = {}
        self._unreadable: dict[str, None] = {}
        self._echoes: dict[str, _Echo] = {}
        self._acknowledges = True
        self.publishes_refused = 0
        self.subscriptions_refused = 0
        self.echoes_missing = 0

    @property
    def publish_refused(self) -> PublishRefusal | None:
        """The first topic that is refused now."""
        with self._lock:
            return next(iter(self._refused.values()), None)

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Filters that were refused and not granted since."""
        with self._lock:
            return tuple(self._unreadable)

    @property
    def verified(self) -> tuple[str, ...]:
        """The topics to be sure of."""
        return self._verified

    def verify(self, topic: str) -> None:
        """Find out, on each connection, whether the broker takes what we publish there."""
        with self._lock:
            if topic not in self._verified:
                self._verified = (*self._verified, topic)

    def verdict(self, topic: str) -> bool | None:
        """May we publish there? None: not known (yet)."""
        with self._lock:
            if topic in self._refused:
                return False
            return True if topic in self._taken else None

    def connected(self, *, echo: bool) -> list[str]:
        """A new session; returns the topics to listen to for a moment. Refusals stay until they prove wrong."""
        with self._lock:
            self._acknowledges = not echo
            self._taken.clear()
            self._trying.clear()
            self._echoes = {topic: _Echo() for topic in self._verified} if echo else {}
            return list(self._echoes)

    def qos_for(self, topic: str, qos: int) -> int:
        """The QoS to send a message with, so that we learn what becomes of it."""
        if qos or topic not in self._verified or not self._acknowledges:
            return qos
        with self._lock:
            known = topic in self._taken or (topic in self._trying and topic not in self._refused)
            return qos if known else 1

    def published(self, topic: str, payload: bytes) -> None:
        """A message is on its way."""
        if topic not in self._verified:
            return
        with self._lock:
            self._trying.add(topic)
            echo = self._echoes.get(topic)
            if echo is not None and not echo.over:
                echo.sent.append(payload)
                if echo.deadline is None:
                    echo.deadline = self._clock() + ECHO_TIMEOUT_S

    def taken(self, topic: str) -> None:
        """The broker acknowledged a message. In 3.1.1 that says nothing: so it does what it throws away."""
        with self._lock:
            if not self._acknowledges:
                return
            self._taken.add(topic)
            self._refused.pop(topic, None)

    def refused(self, topic: str, objection: Objection) -> bool:
        """The broker objected; True the first time on this topic."""
        with self._lock:
            self.publishes_refused += 1
            self._taken.discard(topic)
            first = topic not in self._refused
            self._refused[topic] = PublishRefusal(topic, objection.text, not_authorised=objection.not_authorised)
            return first

    def received(self, topic: str, payload: bytes) -> tuple[bool, bool]:
        """A message came: is its topic one of those listened to, and is that to end now?"""
        with self._lock:
            echo = self._echoes.get(topic)
            if echo is None:
                return False, False
            if echo.over or payload not in echo.sent:
                return True, False
            echo.over = True
            self._taken.add(topic)
            self._refused.pop(topic, None)
            return True, True

    def overdue(self) -> list[PublishRefusal]:
        """The echoes that did not come in time, once each; listening to their topics is to end."""
        now = self._clock()
        missing: list[PublishRefusal] = []
        with self._lock:
            for topic, echo in self._echoes.items():
                if not echo.over and echo.deadline is not None and now >= echo.deadline:
                    echo.over = True
                    self.echoes_missing += 1
                    missing.append(PublishRefusal(topic, "no echo", certain=False))
                    self._refused[topic] = missing[-1]
        return missing

    def waits_for_echo(self) -> bool:
        """Is one still to come?"""
        with self._lock:
            return any(not echo.over and echo.deadline is not None for echo in self._echoes.values())

    def subscribed(self, granted: list[str], refused: list[str]) -> list[str]:
        """The broker's answer to a SUBSCRIBE; returns the refused filters that are not for an echo of ours."""
        with self._lock:
            for topic in granted:
                self._unreadable.pop(topic, None)
            ours = [topic for topic in refused if topic not in self._echoes]
            for topic in refused:
                if topic in self._echoes:  # whoever may not read cannot verify: no verdict
                    self._echoes[topic].over = True
            self._unreadable |= dict.fromkeys(ours)
            self.subscriptions_refused += len(ours)
            return ours

    def check(self, *, publishing: bool, subscriptions: tuple[str, ...], url: str, as_whom: str) -> None:
        """Raise NotAuthorisedError for a refusal that counts."""
        refusal = self.publish_refused if publishing else None
        if refusal is not None and refusal.not_authorised:
            raise NotAuthorisedError(f"{url}: {refusal.describe(as_whom)}")
        for topic in self.subscriptions:
            if topic in subscriptions:
                raise NotAuthorisedError(
                    f"{url}: we may not subscribe to {topic} {as_whom}; check the broker's access list"
                )
