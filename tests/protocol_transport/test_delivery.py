"""Messages on their way from the outbox to the broker."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

from protocol.transport.delivery import Delivery
from protocol.transport.outbox import Outgoing
from protocol.transport.permissions import Permissions
from protocol.transport.session import Session


def delivery() -> Delivery:
    changed = threading.Condition(threading.RLock())
    return Delivery(changed, Permissions(), capacity=8, max_age_s=4.0, window=3, clock=lambda: 0.0)


def session(publish: Any) -> Session:
    return cast(Session, SimpleNamespace(publish=publish, broker_packet_bytes=1000, is_writable=lambda: True))


def reliable() -> Outgoing:
    return Outgoing("status", b"1", qos=1, retain=False, reliable=True, weight=0, queued_at=0.0)


def test_a_message_that_is_just_being_handed_over_is_not_taken_for_sent() -> None:
    """It is out of the outbox and not in the window yet: `flush` returned in between."""
    ours = delivery()
    idle_meanwhile = []

    def publish(message: Outgoing) -> Any:
        idle_meanwhile.append(ours.is_idle())
        return SimpleNamespace(packet_id=7, is_written=lambda: True)

    ours.accept(reliable())
    ours.pump(session(publish))
    assert idle_meanwhile == [False]
    assert not ours.is_idle(), "the broker has not acknowledged it"
    ours.acknowledged(7, None)
    assert ours.is_idle()


def test_a_message_that_the_socket_did_not_take_waits_again() -> None:
    ours = delivery()
    ours.accept(reliable())
    ours.pump(session(lambda message: None))
    assert not ours.is_idle()
    ours.connection_lost()
    assert not ours.is_idle()
    ours.pump(session(lambda message: SimpleNamespace(packet_id=8, is_written=lambda: True)))
    ours.acknowledged(8, None)
    assert ours.is_idle()


def test_a_message_that_is_too_large_for_the_broker_keeps_nobody_waiting() -> None:
    ours = delivery()
    ours.accept(Outgoing("status", b"1" * 2000, qos=1, retain=False, reliable=True, weight=0, queued_at=0.0))
    ours.pump(session(lambda message: None))
    assert ours.is_idle()
