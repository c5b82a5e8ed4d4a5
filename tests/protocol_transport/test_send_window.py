"""The send window: how much may be in flight."""

from __future__ import annotations

import pytest

from protocol.transport.outbox import Outgoing
from protocol.transport.send_window import RELIABLE_WINDOW, SendWindow


def message(*, qos: int = 1, reliable: bool = False) -> Outgoing:
    return Outgoing("t", b"x", qos, False, 0.0, reliable=reliable)


def send(
    window: SendWindow, packet_id: int, *, qos: int = 1, reliable: bool = False, written: bool = False
) -> Outgoing:
    outgoing = message(qos=qos, reliable=reliable)
    window.sent(outgoing, packet_id=packet_id, is_written=lambda: written)
    return outgoing


def test_live_qos_1_is_bounded_by_unacknowledged_messages() -> None:
    window = SendWindow(2)
    first = send(window, 1)
    assert window.may_send_live(1)
    send(window, 2)
    assert not window.may_send_live(1)
    assert window.acknowledged(1) is first
    assert window.may_send_live(1)


def test_an_acknowledgement_for_nothing_is_harmless() -> None:
    assert SendWindow(1).acknowledged(7) is None


def test_reliable_messages_do_not_use_up_the_live_window() -> None:
    window = SendWindow(1)
    for packet_id in range(RELIABLE_WINDOW):
        assert window.may_send_reliable()
        send(window, packet_id, reliable=True)
    assert not window.may_send_reliable()
    assert window.may_send_live(1)


def test_the_receive_maximum_of_the_broker_bounds_both() -> None:
    window = SendWindow(3)
    window.broker_limit = 2
    send(window, 1)
    send(window, 2, reliable=True)
    assert not window.may_send_live(1)
    assert not window.may_send_reliable()
    assert window.may_send_live(0), "QoS 0 needs no acknowledgement"


def test_qos_0_waits_for_the_message_before_to_be_written() -> None:
    window = SendWindow(3)
    written = False
    first = message(qos=0)
    window.sent(first, packet_id=1, is_written=lambda: written)
    assert not window.may_send_live(0)
    assert window.waits_for_write()
    assert window.collect_written() == []
    written = True
    assert window.collect_written() == [first]
    assert window.may_send_live(0)
    assert len(window) == 0


def test_two_equal_packets_are_two_packets() -> None:
    window = SendWindow(3)
    send(window, 1, qos=0, reliable=True, written=True)
    send(window, 2, qos=0, reliable=True, written=False)
    assert len(window.collect_written()) == 1
    assert len(window) == 1


def test_drain_returns_what_was_in_flight_and_forgets_the_broker() -> None:
    window = SendWindow(3)
    window.broker_limit = 1
    first, second = send(window, 5), send(window, 6, qos=0)
    assert window.drain() == [first, second]
    assert len(window) == 0
    assert window.broker_limit == 65535


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one message"):
        SendWindow(0)
