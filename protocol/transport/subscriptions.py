"""Who wants which topics, remembered across connections, and the dispatch of what arrives."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from paho.mqtt.client import topic_matches_sub

from protocol.transport.values import Message

MAX_TOPIC_BYTES: Final = 65535  # length is a 16-bit field in MQTT
logger = logging.getLogger(__name__)

Handler = Callable[[Message], None]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic filter, the QoS asked for and the function that gets the messages."""

    topic: str
    qos: int
    handler: Handler


class Subscriptions:
    """Filters and handlers; any thread may change them, the network thread dispatches."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_topic: dict[str, Subscription] = {}  # replaced as a whole, so that dispatch needs no lock
        self._failing: set[str] = set()
        self.received = 0
        self.unmatched = 0
        self.handler_errors = 0

    def add(self, subscription: Subscription) -> None:
        """Remember it; a filter has one handler, the last one given."""
        check_filter(subscription.topic)
        with self._lock:
            self._by_topic = {**self._by_topic, subscription.topic: subscription}

    def remove(self, topic: str) -> bool:
        """Forget a filter; False when there was none."""
        with self._lock:
            if topic not in self._by_topic:
                return False
            self._by_topic = {name: entry for name, entry in self._by_topic.items() if name != topic}
            return True

    def all(self) -> list[Subscription]:
        """Every subscription, in the order they were made."""
        return list(self._by_topic.values())

    def wants(self, topic: str) -> bool:
        """Does any filter match it?"""
        return any(topic_matches_sub(name, topic) for name in self._by_topic)

    def dispatch(self, message: Message) -> None:
        """Hand a message to every handler whose filter matches; what a handler raises is counted and ends there.

        One warning per filter and episode: the next comes only after a message was handled well again.
        """
        self.received += 1
        matched = False
        for subscription in self._by_topic.values():
            if not topic_matches_sub(subscription.topic, message.topic):
                continue
            matched = True
            try:
                subscription.handler(message)
                self._failing.discard(subscription.topic)
            except Exception:
                self.handler_errors += 1
                if subscription.topic not in self._failing:
                    self._failing.add(subscription.topic)
                    logger.warning(
                        "the handler of %s failed; further failures are only counted", subscription.topic, exc_info=True
                    )
        if not matched:
            self.unmatched += 1


def check_topic(topic: str) -> str:
    """Refuse what cannot be published on: empty, wildcards, NUL, too long. Raises ValueError."""
    if any(wildcard in topic for wildcard in "+#"):
        raise ValueError(f"a topic to publish on has no wildcards, got {topic!r}")
    return _check_text(topic)


def check_filter(topic: str) -> str:
    """Refuse what is no topic filter: `+` must be a whole level, `#` the whole last one. Raises ValueError."""
    levels = topic.split("/")
    for index, level in enumerate(levels):
        if ("+" in level and level != "+") or ("#" in level and (level != "#" or index != len(levels) - 1)):
            raise ValueError(f"a topic filter has + as a whole level and # as the whole last one, got {topic!r}")
    return _check_text(topic)


def _check_text(topic: str) -> str:
    if not topic or "\0" in topic or len(topic.encode()) > MAX_TOPIC_BYTES:
        raise ValueError(f"a topic has 1 to {MAX_TOPIC_BYTES} bytes and no NUL, got {topic[:80]!r}")
    return topic
