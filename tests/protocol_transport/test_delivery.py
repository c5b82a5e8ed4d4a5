"""Messages on their way from the outbox to the broker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from protocol.transport.delivery import Delivery
from protocol.transport.outbox import MAX_RELIABLE_ATTEMPTS, Outgoing
from protocol.transport.permissions import Permissions
from protocol.transport.session import Session


def delivery(clock: Callable[[], float] = lambda: 0.0) -> Delivery:
    changed = threading.Condition(threading.RLock())
    return Delivery(changed, Permissions(), capacity=8, max_age_s=4.0, window=3, clock=clock)


def session(publish: Any) -> Session:
    return cast(Session, SimpleNamespace(publish=publish, broker_packet_bytes=1000, is_writable=lambda: True))


def reliable() -> Outgoing:
    return Outgoing("status", b"1", qos=1, retain=False, reliable=True, weight=0, queued_at=0.0)


def live(payload: bytes = b"2") -> Outgoing:
    return Outgoing("t0", payload, qos=1, retain=False, weight=5, queued_at=0.0)


def broken(message: Outgoing) -> Any:
    raise ValueError("paho does not like it")


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


def test_a_live_message_whose_hand_over_fails_goes_out_first_on_the_next_connection() -> None:
    ours = delivery()
    for payload in (b"first", b"second"):
        ours.accept(live(payload))
    with pytest.raises(ValueError, match="paho"):
        ours.pump(session(broken))
    assert not ours.is_idle()
    ours.connection_lost()
    sent: list[bytes] = []

    def publish(message: Outgoing) -> Any:
        sent.append(message.payload)
        return SimpleNamespace(packet_id=len(sent), is_written=lambda: True)

    ours.pump(session(publish))
    assert sent == [b"first", b"second"]
    for packet_id in (1, 2):
        ours.acknowledged(packet_id, None)
    counters = ours.counters()
    assert (counters["messages_published"], counters["messages_dropped"], counters["messages_resent"]) == (2, 0, 0)
    assert ours.is_idle()


def test_a_live_message_whose_hand_over_fails_each_time_is_dropped_and_counted_once_it_is_old() -> None:
    now = 0.0
    ours = delivery(lambda: now)
    ours.accept(live())
    while now <= 4.0:
        with pytest.raises(ValueError, match="paho"):
            ours.pump(session(broken))
        ours.connection_lost()
        now += 1.0
    ours.pump(session(broken))
    counters = ours.counters()
    assert (counters["dropped_stale"], counters["weight_dropped"], counters["messages_waiting"]) == (1, 5, 0)
    assert ours.is_idle()


def test_a_reliable_message_whose_hand_over_fails_each_time_is_given_up_and_counted() -> None:
    ours = delivery()
    ours.accept(reliable())
    for _ in range(MAX_RELIABLE_ATTEMPTS):
        assert not ours.is_idle()
        with pytest.raises(ValueError, match="paho"):
            ours.pump(session(broken))
        ours.connection_lost()
    assert ours.counters()["reliable_failed"] == 1
    assert ours.is_idle()


def test_what_matters_less_stays_out_of_a_link_that_is_behind() -> None:
    """Though it has no window of its own to wait for, at QoS 0; and the base goes all the same."""
    now = 0.0
    ours = delivery(lambda: now)
    sent: list[Outgoing] = []

    def publish(message: Outgoing) -> Any:
        sent.append(message)
        return SimpleNamespace(packet_id=len(sent), is_written=lambda: True)

    def upper() -> Outgoing:
        return Outgoing("t1", b"3", qos=0, retain=False, queued_at=now, weight=0, drop_precedence=1, max_age_s=0.6)

    link = session(publish)
    ours.accept(live())
    ours.pump(link)
    now = 0.1
    ours.acknowledged(1, None)  # the quickest answer: 0.1 s
    ours.accept(live())
    ours.accept(upper())
    ours.pump(link)
    assert [message.topic for message in sent] == ["t0", "t0", "t1"]
    now = 0.9
    ours.accept(Outgoing("t0", b"4", qos=1, retain=False, weight=5, queued_at=now))
    ours.accept(upper())
    ours.pump(link)
    assert [message.topic for message in sent[3:]] == ["t0"], "0.7 s more than the quickest: the link is behind"
    ours.acknowledged(2, None)
    ours.pump(link)
    assert [message.topic for message in sent[4:]] == ["t1"]
