"""Filters, handlers and dispatch."""

from __future__ import annotations

import logging

import pytest

from protocol.transport.subscriptions import Subscription, Subscriptions, check_filter, check_topic
from protocol.transport.values import Message


def message(topic: str) -> Message:
    return Message(topic, b"x", False, 0.0)


def test_every_matching_filter_gets_the_message() -> None:
    subscriptions, got = Subscriptions(), []
    subscriptions.add(Subscription("a/+", 0, lambda m: got.append("plus")))
    subscriptions.add(Subscription("a/#", 0, lambda m: got.append("hash")))
    subscriptions.add(Subscription("b", 0, lambda m: got.append("other")))
    subscriptions.dispatch(message("a/b"))
    assert got == ["plus", "hash"]


def test_the_last_handler_of_a_filter_counts() -> None:
    subscriptions, got = Subscriptions(), []
    subscriptions.add(Subscription("a", 0, lambda m: got.append("first")))
    subscriptions.add(Subscription("a", 1, lambda m: got.append("second")))
    subscriptions.dispatch(message("a"))
    assert got == ["second"]
    assert [(entry.topic, entry.qos) for entry in subscriptions.all()] == [("a", 1)]


def test_what_nobody_asked_for_is_counted() -> None:
    subscriptions = Subscriptions()
    subscriptions.dispatch(message("a"))
    subscriptions.dispatch(message(""))
    assert (subscriptions.received, subscriptions.unmatched) == (2, 2)


def test_a_failing_handler_is_reported_once_per_episode(caplog: pytest.LogCaptureFixture) -> None:
    subscriptions, broken = Subscriptions(), True

    def handler(m: Message) -> None:
        if broken:
            raise RuntimeError("broken")

    subscriptions.add(Subscription("a", 0, handler))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            subscriptions.dispatch(message("a"))
        broken = False
        subscriptions.dispatch(message("a"))
        broken = True
        subscriptions.dispatch(message("a"))
    assert subscriptions.handler_errors == 4
    assert len(caplog.records) == 2


def test_removing_says_whether_there_was_one() -> None:
    subscriptions = Subscriptions()
    subscriptions.add(Subscription("a", 0, lambda m: None))
    assert subscriptions.remove("a")
    assert not subscriptions.remove("a")


@pytest.mark.parametrize("topic", ["a", "a/b", "a/+/b", "a/#", "#", "+", "/", "x" * 65535])
def test_good_filters_pass(topic: str) -> None:
    assert check_filter(topic) == topic


@pytest.mark.parametrize("topic", ["x" * 65536, "ä" * 32768])
def test_topics_are_measured_in_bytes(topic: str) -> None:
    with pytest.raises(ValueError, match="bytes"):
        check_topic(topic)
