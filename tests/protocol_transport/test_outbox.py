"""The outbox: two lanes, bounded, every drop counted."""

from __future__ import annotations

import pytest

from protocol.transport.errors import OutboxFullError
from protocol.transport.outbox import RELIABLE_CAPACITY, Outbox, Outgoing


def live(
    payload: bytes,
    *,
    at: float = 0.0,
    weight: int = 1,
    qos: int = 1,
    precedence: int = 0,
    max_age_s: float | None = None,
) -> Outgoing:
    return Outgoing("t", payload, qos, False, at, weight=weight, drop_precedence=precedence, max_age_s=max_age_s)


def taken_from(outbox: Outbox, now: float = 0.0) -> list[bytes]:
    return [message.payload for message in iter(lambda: outbox.take_live(now), None)]


def reliable(payload: bytes, *, topic: str = "m", retain: bool = False) -> Outgoing:
    return Outgoing(topic, payload, 1, retain, 0.0, reliable=True)


def test_the_oldest_live_message_gives_way() -> None:
    outbox = Outbox(capacity=2, max_age_s=10.0)
    for payload in (b"1", b"2", b"3"):
        outbox.offer(live(payload, weight=5))
    assert (outbox.dropped.overflow, outbox.dropped.weight, outbox.dropped.messages) == (1, 5, 1)
    taken = [outbox.take_live(0.0), outbox.take_live(0.0), outbox.take_live(0.0)]
    assert [message.payload for message in taken if message] == [b"2", b"3"]
    assert taken[-1] is None


def test_live_messages_older_than_the_limit_are_dropped_when_taken() -> None:
    outbox = Outbox(capacity=4, max_age_s=2.0)
    outbox.offer(live(b"old", at=0.0, weight=5))
    outbox.offer(live(b"just right", at=1.0))
    taken = outbox.take_live(3.0)
    assert taken is not None
    assert taken.payload == b"just right"
    assert (outbox.dropped.stale, outbox.dropped.weight) == (1, 5)


def test_reliable_messages_have_a_lane_of_their_own() -> None:
    outbox = Outbox(capacity=1, max_age_s=1.0)
    outbox.offer(live(b"token"))
    outbox.offer(reliable(b"event 1"))
    outbox.offer(reliable(b"event 2"))
    assert outbox.take_reliable().payload == b"event 1"  # type: ignore[union-attr]
    assert outbox.take_reliable().payload == b"event 2"  # type: ignore[union-attr]
    assert outbox.take_reliable() is None
    assert outbox.dropped.messages == 0


def test_a_newer_retained_message_replaces_the_older_on_its_topic_only() -> None:
    outbox = Outbox(capacity=1, max_age_s=1.0)
    outbox.offer(reliable(b"old", topic="manifest", retain=True))
    outbox.offer(reliable(b"status", topic="status", retain=True))
    outbox.offer(reliable(b"new", topic="manifest", retain=True))
    payloads = [message.payload for message in iter(outbox.take_reliable, None)]
    assert payloads == [b"status", b"new"]


def test_a_full_reliable_lane_is_said_and_not_hidden() -> None:
    outbox = Outbox(capacity=1, max_age_s=1.0)
    for _ in range(RELIABLE_CAPACITY):
        outbox.offer(reliable(b"event"))
    with pytest.raises(OutboxFullError, match="refused another for m"):
        outbox.offer(reliable(b"one too many"))
    assert len(outbox) == RELIABLE_CAPACITY


def test_what_is_put_back_goes_out_first_and_in_order() -> None:
    outbox = Outbox(capacity=10, max_age_s=10.0)
    outbox.offer(live(b"3"))
    outbox.put_back([live(b"1"), reliable(b"r"), live(b"2")])
    assert [outbox.take_live(0.0).payload for _ in range(3)] == [b"1", b"2", b"3"]  # type: ignore[union-attr]
    assert outbox.take_reliable() is not None


def test_putting_back_keeps_the_bound_by_dropping_the_oldest() -> None:
    outbox = Outbox(capacity=2, max_age_s=10.0)
    outbox.offer(live(b"2"))
    outbox.offer(live(b"3"))
    outbox.put_back([live(b"1")])
    assert outbox.dropped.overflow == 1
    assert outbox.take_live(0.0).payload == b"2"  # type: ignore[union-attr]


def test_abandoning_counts_the_live_and_returns_the_reliable() -> None:
    outbox = Outbox(capacity=4, max_age_s=10.0)
    outbox.offer(live(b"1", weight=5))
    outbox.offer(reliable(b"r"))
    assert [message.payload for message in outbox.abandon()] == [b"r"]
    assert (outbox.dropped.unsent, outbox.dropped.weight, len(outbox)) == (1, 5, 0)


@pytest.mark.parametrize(("capacity", "age"), [(0, 1.0), (1, 0.0)])
def test_an_outbox_without_room_or_time_is_refused(capacity: int, age: float) -> None:
    with pytest.raises(ValueError, match="expected a capacity"):
        Outbox(capacity, age)


def test_what_has_a_drop_precedence_waits_behind_all_that_has_a_lower_one() -> None:
    outbox = Outbox(capacity=8, max_age_s=10.0)
    for payload, precedence in ((b"t2", 2), (b"t1", 1), (b"t0", 0), (b"t1 again", 1), (b"t0 again", 0)):
        outbox.offer(live(payload, precedence=precedence))
    assert outbox.next_live().payload == b"t0"  # type: ignore[union-attr]
    assert taken_from(outbox) == [b"t0", b"t0 again", b"t1", b"t1 again", b"t2"]
    assert outbox.next_live() is None


def test_in_a_full_outbox_the_oldest_of_the_highest_precedence_gives_way() -> None:
    outbox = Outbox(capacity=3, max_age_s=10.0)
    for number in range(3):
        outbox.offer(live(b"t0 %d" % number, weight=5))
        outbox.offer(live(b"t1 %d" % number, weight=0, precedence=1))
    assert (outbox.dropped.overflow, outbox.dropped.weight, outbox.dropped.yielding) == (3, 0, 3)
    assert taken_from(outbox) == [b"t0 0", b"t0 1", b"t0 2"]


def test_a_message_may_be_worth_less_time_than_the_others() -> None:
    outbox = Outbox(capacity=4, max_age_s=3.0)
    outbox.offer(live(b"base"))
    outbox.offer(live(b"upper", weight=0, precedence=1, max_age_s=0.6))
    assert taken_from(outbox, now=0.7) == [b"base"]
    assert (outbox.dropped.stale, outbox.dropped.yielding, outbox.dropped.weight) == (1, 1, 0)


def test_what_was_in_flight_goes_first_among_its_equals() -> None:
    outbox = Outbox(capacity=8, max_age_s=3.0)
    outbox.offer(live(b"t0 new"))
    outbox.offer(live(b"t1 new", precedence=1))
    outbox.put_back([live(b"t0 old"), live(b"t1 old", precedence=1)])
    assert taken_from(outbox) == [b"t0 old", b"t0 new", b"t1 old", b"t1 new"]


def test_what_is_given_up_at_the_end_is_counted_with_its_precedence() -> None:
    outbox = Outbox(capacity=8, max_age_s=3.0)
    outbox.offer(live(b"t0", weight=5))
    outbox.offer(live(b"t1", weight=0, precedence=1))
    outbox.refuse(live(b"t2", weight=0, precedence=2))
    outbox.abandon()
    dropped = outbox.dropped
    assert (dropped.unsent, dropped.refused, dropped.weight, dropped.yielding, len(outbox)) == (2, 1, 5, 2, 0)
