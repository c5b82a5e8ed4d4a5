"""Stamp and enqueue."""

from __future__ import annotations

from collections.abc import Callable

from edge_player.intake.inbox import Inbox, InboxKind
from edge_player.intake.subscriber import Subscriber
from protocol.topics import Topics
from protocol.transport import Message


class FakeConnection:
    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[Message], None]] = {}
        self.qos: list[int] = []

    def subscribe(self, topic: str, qos: int, handler: Callable[[Message], None]) -> None:
        assert topic not in self.handlers
        self.handlers[topic] = handler
        self.qos.append(qos)

    def unsubscribe(self, topic: str) -> None:
        del self.handlers[topic]

    @property
    def tiers(self) -> list[str]:
        """The last parts of the token topics."""
        return sorted(topic[-2:] for topic in self.handlers if "/s/lobby/t" in topic)


def test_messages_are_enqueued_with_kind_tier_and_time() -> None:
    connection, inbox = FakeConnection(), Inbox()
    subscriber = Subscriber(connection, Topics(), "lobby", inbox)
    subscriber.start()
    subscriber.follow((0, 1), "gw-1")
    assert set(connection.handlers) == {
        "vw/v1/s/lobby/manifest",
        "vw/v1/s/lobby/event",
        "vw/v1/s/lobby/t0",
        "vw/v1/s/lobby/t1",
        "vw/v1/gateway/gw-1/status",
    }
    connection.handlers["vw/v1/s/lobby/t1"](Message("vw/v1/s/lobby/t1", b"x", False, 12.5))
    connection.handlers["vw/v1/s/lobby/manifest"](Message("vw/v1/s/lobby/manifest", b"m", True, 12.6))
    first, second = inbox.take(0.0)
    assert (first.kind, first.retained) == (InboxKind.MANIFEST, True)
    assert (second.kind, second.tier, second.received_at) == (InboxKind.TOKENS, 1, 12.5)


def test_a_spare_gets_the_tokens_of_every_tier_and_nothing_else_and_they_say_which_way_they_came() -> None:
    connection, spare, inbox = FakeConnection(), FakeConnection(), Inbox()
    subscriber = Subscriber(connection, Topics(), "lobby", inbox, spares=[spare])
    subscriber.start()
    subscriber.follow((0, 1), "gw-1")
    assert set(spare.handlers) == {"vw/v1/s/lobby/t0", "vw/v1/s/lobby/t1"} < set(connection.handlers)
    for end in (spare, connection):
        end.handlers["vw/v1/s/lobby/t1"](Message("vw/v1/s/lobby/t1", b"x", False, 12.5))
    assert [(message.tier, message.connection) for message in inbox.take(0.0)] == [(1, 1), (1, 0)]


def test_live_audio_is_asked_for_at_the_publishers_quality_at_most() -> None:
    connection = FakeConnection()
    Subscriber(connection, Topics(), "lobby", Inbox()).start()
    assert set(connection.qos) == {1}


def test_exactly_the_tiers_that_are_followed_are_subscribed_to_and_the_base_always() -> None:
    connection, spare = FakeConnection(), FakeConnection()
    subscriber = Subscriber(connection, Topics(), "lobby", Inbox(), spares=[spare])
    subscriber.start()
    assert connection.tiers == ["t0"]
    followed = []
    for tiers in ((0, 1, 2, 3), (0, 1), (0,), (0, 1), (0, 1)):
        subscriber.follow(tiers, "gw-1")
        assert spare.tiers == connection.tiers
        followed.append(connection.tiers)
    assert followed == [["t0", "t1", "t2", "t3"], ["t0", "t1"], ["t0"], ["t0", "t1"], ["t0", "t1"]]
