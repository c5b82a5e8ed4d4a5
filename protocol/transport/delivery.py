"""From the outbox through the send window to the socket, and the account of what became of every message."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocol.transport.ack_delay import AckDelay
from protocol.transport.answers import Objection
from protocol.transport.outbox import MAX_RELIABLE_ATTEMPTS, Outbox, Outgoing
from protocol.transport.permissions import Permissions
from protocol.transport.send_window import SendWindow
from protocol.transport.session import Session

PUBLISH_OVERHEAD_BYTES: Final = 32  # fixed header, lengths, packet id and properties of PUBLISH, rounded up
HOLD_SHARE: Final = 0.5
"""Of the age of a message with a drop precedence: a queue in the link that takes so long is filled no further. What is
in it already and what is noticed late come on top."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Counters:
    messages_accepted: int = 0
    weight_accepted: int = 0
    messages_published: int = 0
    weight_published: int = 0
    yielding_published: int = 0
    messages_resent: int = 0
    reliable_published: int = 0
    reliable_failed: int = 0


class Delivery:
    """Any thread accepts messages; the network thread moves them. `changed` guards all and is told of progress.

    A message with a drop precedence stays out of the link while that is behind, by the broker's acknowledgements.
    Every live message accepted is in the end published or dropped, once: both are counted with its weight.
    """

    def __init__(
        self,
        changed: threading.Condition,
        permissions: Permissions,
        *,
        capacity: int,
        max_age_s: float,
        window: int,
        clock: Callable[[], float],
    ) -> None:
        self._changed = changed
        self._permissions = permissions
        self._clock = clock
        self._outbox = Outbox(capacity, max_age_s)
        self._window = SendWindow(window)
        self._ack_delay = AckDelay()
        self._max_age_s = max_age_s
        self._counters = _Counters()
        self._in_hand: Outgoing | None = None  # out of the outbox and not yet in the window
        self._closed = False
        self._dropping = False

    def accept(self, message: Outgoing) -> None:
        """Take a message over; raises OutboxFullError (reliable lane only). After `abandon` it is only counted."""
        with self._changed:
            if not message.reliable:
                self._counters.messages_accepted += 1
                self._counters.weight_accepted += message.weight
            overflows_before = self._outbox.dropped.overflow
            self._outbox.offer(message)
            if self._closed:
                self._give_up_all()
            overflowed = self._outbox.dropped.overflow > overflows_before
            first = overflowed and not self._dropping
            self._dropping = overflowed or (self._dropping and self._outbox.is_full())
        if first:
            logger.warning("the outbox is full: the broker takes less than we publish; packets are dropped")

    def pump(self, session: Session) -> None:
        """Hand over what the window allows, the reliable lane first. Network thread.

        Whatever the session raises leaves the message in hand: `connection_lost` puts it back.
        """
        while (message := self._next(session)) is not None:
            size = len(message.payload) + len(message.topic.encode()) + PUBLISH_OVERHEAD_BYTES
            if size > session.broker_packet_bytes:
                why = f"{size} bytes are more than the {session.broker_packet_bytes} the broker takes"
                with self._changed:
                    self._in_hand = None
                    first = message.reliable or self._outbox.dropped.refused == 0
                    self._count_refused(message)
                _say_refused(message, why, first=first)
                continue
            message.qos = self._permissions.qos_for(message.topic, message.qos)
            message.attempts += 1
            packet = session.publish(message)
            with self._changed:
                self._in_hand = None
                if packet is None:
                    self._outbox.put_back([message])
                    return
                self._permissions.published(message.topic, message.payload)
                self._window.sent(message, packet_id=packet.packet_id, is_written=packet.is_written)
                if message.qos and not message.reliable:
                    self._ack_delay.sent(packet.packet_id, self._clock())
                self._collect_written()
        with self._changed:
            self._collect_written()
            self._changed.notify_all()

    def wants_write(self) -> bool:
        """Does a QoS 0 message wait for the socket to become writable?"""
        with self._changed:
            return self._next_live_qos() == 0 or self._window.waits_for_write()

    def acknowledged(self, packet_id: int, objection: Objection | None) -> None:
        """A PUBACK came; `objection` is the broker's reason for not taking the message."""
        with self._changed:
            message = self._window.acknowledged(packet_id)
            self._ack_delay.acknowledged(packet_id, self._clock())
            if message is None:
                return
            if objection is None:
                self._permissions.taken(message.topic)
                self._published(message)
                return
            first = self._permissions.refused(message.topic, objection)
            self._count_refused(message)
        _say_refused(message, objection.text, first=first)

    def set_broker_limit(self, receive_maximum: int) -> None:
        """How many QoS 1 messages the broker takes before it acknowledges one."""
        with self._changed:
            self._window.broker_limit = receive_maximum

    def connection_lost(self) -> None:
        """Put back what was in flight, to go out first on the next connection; give up what failed too often."""
        with self._changed:
            in_flight = self._window.drain()
            self._ack_delay.forget()
            self._counters.messages_resent += sum(not m.reliable for m in in_flight)
            if self._in_hand is not None:  # its hand-over failed half-way: the last one, and it may do so each time
                in_flight.append(self._in_hand)
                self._in_hand = None
            hopeless = [m for m in in_flight if m.reliable and m.attempts >= MAX_RELIABLE_ATTEMPTS]
            again = [m for m in in_flight if m not in hopeless]
            self._counters.reliable_failed += len(hopeless)
            self._outbox.put_back(again)
        for message in hopeless:
            logger.error(
                "gave up a message for %s: %d connections ended while it was sent", message.topic, message.attempts
            )

    def abandon(self) -> None:
        """Close for good: whatever still waits is counted as dropped or failed."""
        with self._changed:
            self._closed = True
            self._outbox.put_back(self._window.drain())
            failed = self._give_up_all()
        for message in failed:
            logger.warning("closed before a message for %s could be delivered", message.topic)

    def is_idle(self) -> bool:
        """Lock held. Does nothing wait and is nothing in flight?"""
        return not self._outbox and not self._window and self._in_hand is None

    def counters(self) -> dict[str, int]:
        """Lock held. By the names of TransportStats."""
        counters, dropped = self._counters, self._outbox.dropped
        return {
            "messages_accepted": counters.messages_accepted,
            "weight_accepted": counters.weight_accepted,
            "messages_published": counters.messages_published,
            "weight_published": counters.weight_published,
            "messages_dropped": dropped.messages,
            "weight_dropped": dropped.weight,
            "yielding_published": counters.yielding_published,
            "yielding_dropped": dropped.yielding,
            "dropped_overflow": dropped.overflow,
            "dropped_stale": dropped.stale,
            "dropped_refused": dropped.refused,
            "dropped_unsent": dropped.unsent,
            "messages_resent": counters.messages_resent,
            "reliable_published": counters.reliable_published,
            "reliable_failed": counters.reliable_failed,
            "messages_waiting": counters.messages_accepted - counters.messages_published - dropped.messages,
            "weight_waiting": counters.weight_accepted - counters.weight_published - dropped.weight,
        }

    def _next(self, session: Session) -> Outgoing | None:
        """The next message, in hand from now on: whoever waits until all is sent must not look between the two."""
        with self._changed:
            self._in_hand = self._take(session)
            return self._in_hand

    def _take(self, session: Session) -> Outgoing | None:
        """Lock held."""
        if self._window.may_send_reliable() and (message := self._outbox.take_reliable()) is not None:
            return message
        message, qos, now = self._outbox.next_live(), self._next_live_qos(), self._clock()
        if message is None or qos is None or not self._window.may_send_live(qos):
            return None
        if (qos == 0 and not session.is_writable()) or self._must_stay_out(message, now):
            return None
        return self._outbox.take_live(now)

    def _must_stay_out(self, message: Outgoing, now: float) -> bool:
        """Would it delay what matters more than itself?"""
        limit_s = self._max_age_s if message.max_age_s is None else message.max_age_s
        return message.drop_precedence > 0 and self._ack_delay.queued_s(now) > HOLD_SHARE * limit_s

    def _collect_written(self) -> None:
        for message in self._window.collect_written():
            self._published(message)

    def _published(self, message: Outgoing) -> None:
        if message.reliable:
            self._counters.reliable_published += 1
        else:
            self._counters.messages_published += 1
            self._counters.weight_published += message.weight
            self._counters.yielding_published += message.drop_precedence > 0

    def _next_live_qos(self) -> int | None:
        message = self._outbox.next_live()
        return None if message is None else self._permissions.qos_for(message.topic, message.qos)

    def _count_refused(self, message: Outgoing) -> None:
        """Lock held: whoever sees that nothing is in flight any more must see this, too."""
        if message.reliable:
            self._counters.reliable_failed += 1
        else:
            self._outbox.refuse(message)

    def _give_up_all(self) -> list[Outgoing]:
        failed = self._outbox.abandon()
        self._counters.reliable_failed += len(failed)
        return failed


def _say_refused(message: Outgoing, why: str, *, first: bool) -> None:
    """The broker does not take it. Only the `first` is said: a stream that is refused would fill the log."""
    if first:
        logger.warning("the broker does not take what we publish on %s: %s", message.topic, why)
