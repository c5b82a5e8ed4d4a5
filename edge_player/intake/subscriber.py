"""From the connection into the inbox: stamp, enqueue, nothing more. Runs on the network thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from edge_player.intake.inbox import Inbox, InboxKind, InboxMessage
from protocol.limits import MAX_TIERS
from protocol.topics import Topics
from protocol.transport import Message


class SubscribingConnection(Protocol):
    """The part of `protocol.transport.Connection` that is used here."""

    def subscribe(self, topic: str, qos: int, handler: Callable[[Message], None]) -> None: ...

    def unsubscribe(self, topic: str) -> None: ...


class Subscriber:
    """Subscribes to one stream. Tiers and the gateway's status join once a manifest says which.

    Always at QoS 1: the broker delivers at the lower of this and the publisher's, so live audio at QoS 0 stays there.
    Spares get the token topics only: an event that came twice would be counted, and acted upon, twice.
    """

    def __init__(
        self,
        connection: SubscribingConnection,
        topics: Topics,
        stream: str,
        inbox: Inbox,
        *,
        spares: Sequence[SubscribingConnection] = (),
    ) -> None:
        self._connections = (connection, *spares)
        self._topics = topics
        self._stream = stream
        self._inbox = inbox
        self._known: set[str] = set()

    @property
    def essential(self) -> tuple[str, ...]:
        """The topics without which there is nothing to play."""
        return (self._topics.tokens(self._stream, 0), self._topics.manifest(self._stream))

    def start(self) -> None:
        """Manifest, events, and tier 0, which every stream has: a stream that is just starting loses nothing."""
        self._subscribe(self._topics.event(self._stream), InboxKind.EVENT)
        self._subscribe(self._topics.tokens(self._stream, 0), InboxKind.TOKENS)
        self._subscribe(self._topics.manifest(self._stream), InboxKind.MANIFEST)

    def follow(self, tiers: Iterable[int], gateway_id: str) -> None:
        """What the manifest names besides: these tiers and no others, but for tier 0. May change in mid-stream."""
        wanted = {tier: self._topics.tokens(self._stream, tier) for tier in tiers}
        for tier in range(1, MAX_TIERS):
            if tier not in wanted:
                self._unsubscribe(self._topics.tokens(self._stream, tier))
        for tier, topic in wanted.items():
            self._subscribe(topic, InboxKind.TOKENS, tier)
        self._subscribe(self._topics.gateway_status(gateway_id), InboxKind.GATEWAY_STATUS)

    def _subscribe(self, topic: str, kind: InboxKind, tier: int = 0) -> None:
        if topic in self._known:
            return
        self._known.add(topic)
        for number, connection in enumerate(self._connections if kind is InboxKind.TOKENS else self._connections[:1]):
            connection.subscribe(topic, 1, self._enqueuer(kind, tier, number))

    def _enqueuer(self, kind: InboxKind, tier: int, connection: int) -> Callable[[Message], None]:
        def enqueue(message: Message) -> None:
            self._inbox.put(
                InboxMessage(kind, message.payload, message.received_at, tier, message.retained, connection)
            )

        return enqueue

    def _unsubscribe(self, topic: str) -> None:
        if topic in self._known:
            self._known.remove(topic)
            for connection in self._connections:
                connection.unsubscribe(topic)
