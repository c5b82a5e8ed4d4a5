"""The queue between the network thread and the worker."""

from __future__ import annotations

from edge_player.intake.inbox import Inbox, InboxKind, InboxMessage


def message(kind: InboxKind, number: int) -> InboxMessage:
    return InboxMessage(kind, bytes([number]), float(number))


def test_control_messages_come_before_tokens() -> None:
    inbox = Inbox()
    inbox.put(message(InboxKind.TOKENS, 1))
    inbox.put(message(InboxKind.MANIFEST, 2))
    inbox.put(message(InboxKind.EVENT, 3))
    assert [item.payload[0] for item in inbox.take(0.0)] == [2, 3, 1]
    assert inbox.take(0.0) == []


def test_the_oldest_gives_way_on_each_lane_and_is_counted() -> None:
    inbox = Inbox(token_capacity=2, control_capacity=1)
    for number in range(5):
        inbox.put(message(InboxKind.TOKENS, number))
        inbox.put(message(InboxKind.EVENT, number))
    assert [item.payload[0] for item in inbox.take(0.0)] == [4, 3, 4]
    assert (inbox.tokens_dropped, inbox.control_dropped) == (3, 4)


def test_waiting_ends_after_the_time_given() -> None:
    assert Inbox().take(0.001) == []
