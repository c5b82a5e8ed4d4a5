"""The outbox: two lanes, bounded, every drop counted."""

from __future__ import annotations

import pytest

from protocol.transport.errors import OutboxFullError
from protocol.transport.outbox import RELIABLE_CAPACITY, Outbox, Outgoing


def live(payload: bytes, *, at: float = 0.0, weight: int = 1, qos: int = 1) -> Outgoing:
    return Outgoing("t", payload, qos, False, at, weight=weight)


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
