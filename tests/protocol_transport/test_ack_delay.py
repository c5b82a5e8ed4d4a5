"""The queue that our own messages make in a link, by how late they are acknowledged."""

from __future__ import annotations

from protocol.transport.ack_delay import AckDelay


def test_a_round_trip_that_is_long_but_steady_is_no_queue() -> None:
    delay = AckDelay()
    for number in range(50):
        delay.sent(number, number * 0.4)
        delay.acknowledged(number, number * 0.4 + 0.7)
        assert delay.queued_s(number * 0.4 + 0.7) == 0.0


def test_a_message_that_waits_longer_than_the_quickest_did_shows_the_queue() -> None:
    delay = AckDelay()
    delay.sent(1, 0.0)
    delay.acknowledged(1, 0.1)
    delay.sent(2, 1.0)
    delay.sent(3, 1.9)
    assert abs(delay.queued_s(2.0) - 0.9) < 1e-9
    delay.acknowledged(2, 2.0)
    assert delay.queued_s(2.0) < 0.01


def test_before_the_first_answer_and_with_nothing_under_way_nothing_is_known() -> None:
    delay = AckDelay()
    assert delay.queued_s(5.0) == 0.0
    delay.sent(1, 0.0)
    assert delay.queued_s(5.0) == 0.0
    delay.acknowledged(7, 5.0)
    assert delay.queued_s(5.0) == 0.0


def test_a_route_that_became_longer_for_good_is_learned() -> None:
    delay = AckDelay()
    delay.sent(0, 0.0)
    delay.acknowledged(0, 0.1)
    queued = []
    for number in range(1, 150):
        delay.sent(number, float(number))
        queued.append(delay.queued_s(number + 0.8))
        delay.acknowledged(number, number + 0.8)
    assert queued[0] > 0.65
    assert queued[-1] == 0.0


def test_another_connection_begins_without_a_past() -> None:
    delay = AckDelay()
    delay.sent(1, 0.0)
    delay.acknowledged(1, 0.1)
    delay.sent(2, 1.0)
    delay.forget()
    assert delay.queued_s(9.0) == 0.0
