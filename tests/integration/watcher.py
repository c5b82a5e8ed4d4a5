"""A witness at the broker: it notes every message of ours with the time it came, and waits for what should come."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from protocol.manifest import decode_manifest
from protocol.packet import PacketLimits, TokenPacket, decode_packet
from protocol.status import StatusMessage, decode_status
from protocol.topics import Topics
from protocol.transport import BrokerConfig, Connection, Message

DEADLINE_S = 40.0
LOOK_S = 0.5

TOPICS = Topics()


class Watcher:
    """Subscribed to everything of ours; comes back after a broker's restart as both ends do."""

    def __init__(self, url: str, *, qos: int = 1) -> None:
        """qos: 0 where the broker is tuned to queue next to nothing for a subscriber at QoS 1."""
        self._qos = qos
        self._changed = threading.Condition()
        self._messages: list[Message] = []
        self._ends: list[subprocess.Popen[str]] = []
        self._connection = Connection(BrokerConfig(url=url))

    def __enter__(self) -> Self:
        self._connection.start()
        self._connection.subscribe(f"{TOPICS.root}/#", self._qos, self._note)
        self._connection.wait_connected(DEADLINE_S)
        assert self._connection.flush(DEADLINE_S), "the watcher could not subscribe"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.stop()

    def rely_on(self, process: subprocess.Popen[str]) -> None:
        """While something is waited for, this process must not fail; one that is killed by a signal has not failed."""
        self._ends.append(process)

    def count(self, topic: str) -> int:
        """How many messages came on this topic so far."""
        return len(self.on(topic))

    def on(self, topic: str) -> list[Message]:
        """The messages of this topic so far."""
        with self._changed:
            return [message for message in self._messages if message.topic == topic]

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Until `condition` holds, which is looked at after each message."""
        deadline = time.monotonic() + DEADLINE_S
        with self._changed:
            while not condition():
                remaining = deadline - time.monotonic()
                assert remaining > 0, f"{what} did not come within {DEADLINE_S:.0f} s"
                self._changed.wait(min(remaining, LOOK_S))
                failed = [process for process in self._ends if (process.poll() or 0) > 0]
                assert not failed, f"{what} can not come any more: {failed[0].communicate()[1]}"

    def wait_for_count(self, topic: str, count: int) -> None:
        """Until so many messages came on this topic since the beginning."""
        self.wait_until(lambda: self.count(topic) >= count, f"message {count} on {topic}")

    def wait_for_status(
        self, topic: str, accept: Callable[[StatusMessage], bool], what: str, *, after: int = 0
    ) -> tuple[Message, StatusMessage]:
        """The first status on this topic that `accept` takes, the first `after` ones left out."""
        found: list[tuple[Message, StatusMessage]] = []

        def look() -> bool:
            found[:] = [
                (message, status)
                for message in self.on(topic)[after:]
                if message.payload and accept(status := decode_status(message.payload))
            ]
            return bool(found)

        self.wait_until(look, f"{what} on {topic}")
        return found[0]

    def count_frames(self, stream: str) -> int:
        """Frames in all token packets of a stream, over all of its epochs; a duplicate would count twice."""
        return sum(packet.codes.shape[1] for packet in self.packets(stream))

    def packets(self, stream: str) -> list[TokenPacket]:
        """All token packets of a stream so far."""
        limits = self._limits(stream)
        return [decode_packet(message.payload, limits) for message in self.on(TOPICS.tokens(stream))]

    def _limits(self, stream: str) -> PacketLimits:
        payload = next(message.payload for message in self.on(TOPICS.manifest(stream)) if message.payload)
        return decode_manifest(payload).packet_limits(0)

    def _note(self, message: Message) -> None:
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()
