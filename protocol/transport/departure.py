"""Leaving a broker in order, within a time: what waits, then that we are offline, then DISCONNECT."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final

from protocol.transport.delivery import Delivery
from protocol.transport.errors import TransportError
from protocol.transport.outbox import Outgoing
from protocol.transport.session import Session
from protocol.transport.values import Will

DRAIN_SHARE: Final = 0.7  # of the time to stop, for what waits; the rest is for the offline message


class Departure:
    """Asked for by any thread, carried out by the network thread. offline: what is said last, if anything."""

    def __init__(self, delivery: Delivery, offline: Will | None, *, clock: Callable[[], float]) -> None:
        self._delivery = delivery
        self._offline = offline
        self._clock = clock
        self._asked = threading.Event()
        self._stop_at = 0.0
        self._drain_until = 0.0
        self._said_offline = False

    @property
    def asked(self) -> bool:
        """Are we to leave?"""
        return self._asked.is_set()

    def ask(self, timeout_s: float) -> None:
        """Leave, within `timeout_s`; the first time counts. The caller holds the connection's lock."""
        if not self._asked.is_set():
            now = time.monotonic()
            self._stop_at = now + timeout_s
            self._drain_until = now + timeout_s * DRAIN_SHARE
            self._asked.set()

    def wait(self, timeout_s: float) -> None:
        """Sleep, but not when we are to leave."""
        self._asked.wait(timeout_s)

    def remaining_s(self) -> float:
        """Of the time to leave."""
        return max(0.0, self._stop_at - time.monotonic())

    def poll_s(self, longest_s: float) -> float:
        """How long the network thread may sleep."""
        if not self.asked:
            return longest_s
        next_deadline = self._stop_at if self._said_offline else self._drain_until
        return min(longest_s, max(0.0, next_deadline - time.monotonic()))

    def leave(self, session: Session, is_idle: Callable[[], bool]) -> bool:
        """The next step of it; True when done. `is_idle` takes the lock itself."""
        now = time.monotonic()
        idle = is_idle()
        if session.accepted and not self._said_offline:
            if not idle and now < self._drain_until:
                return False
            self._say_offline()
            self._delivery.pump(session)
            idle = is_idle()
        if session.accepted and not idle and now < self._stop_at:
            return False
        session.disconnect(linger_s=self._stop_at - now)
        return True

    def _say_offline(self) -> None:
        self._said_offline = True
        if self._offline is None:
            return
        last = self._offline
        message = Outgoing(last.topic, last.payload, last.qos, last.retain, self._clock(), reliable=True)
        with contextlib.suppress(TransportError):  # the lane is full: the broker takes nothing anyway
            self._delivery.accept(message)
