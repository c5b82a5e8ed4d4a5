"""What is in flight: handed to the socket and not yet known to have arrived. No I/O, no lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocol.transport.outbox import Outgoing

RELIABLE_WINDOW: Final = 8  # in flight beside the live window, so that a full live window never delays a manifest


class SendWindow:
    """Bounds what is in flight and so, with it, how stale live audio can become on a slow link.

    QoS 1: at most `window` live messages without PUBACK. QoS 0 has no PUBACK: the next goes out when the one
    before was written to a socket that keeps little unsent (sockets.tune). `broker_limit`: MQTT 5's Receive Maximum.
    """

    def __init__(self, window: int) -> None:
        if window < 1:
            raise ValueError(f"the window must hold at least one message, got {window}")
        self._window = window
        self.broker_limit = 65535
        self._waiting_ack: dict[int, Outgoing] = {}
        self._waiting_write: list[tuple[Callable[[], bool], Outgoing]] = []

    def __len__(self) -> int:
        return len(self._waiting_ack) + len(self._waiting_write)

    def may_send_reliable(self) -> bool:
        """Is there room for a message of the reliable lane?"""
        reliable = sum(message.reliable for message in self._waiting_ack.values())
        return reliable < RELIABLE_WINDOW and len(self._waiting_ack) < self.broker_limit

    def may_send_live(self, qos: int) -> bool:
        """Is there room for a live message of this QoS?"""
        if qos == 0:
            return not self._waiting_write
        live = sum(not message.reliable for message in self._waiting_ack.values())
        return live < self._window and len(self._waiting_ack) < self.broker_limit

    def waits_for_write(self) -> bool:
        """Is a QoS 0 message only partly written?"""
        return bool(self._waiting_write)

    def sent(self, message: Outgoing, *, packet_id: int, is_written: Callable[[], bool]) -> None:
        """A message was handed over; `is_written` tells, for QoS 0, whether the socket has taken all of it."""
        if message.qos == 0:
            self._waiting_write.append((is_written, message))
        else:
            self._waiting_ack[packet_id] = message

    def acknowledged(self, packet_id: int) -> Outgoing | None:
        """The message that a PUBACK is for; None when it is for none of ours."""
        return self._waiting_ack.pop(packet_id, None)

    def collect_written(self) -> list[Outgoing]:
        """QoS 0 messages that were written since the last call."""
        written: list[Outgoing] = []
        unwritten: list[tuple[Callable[[], bool], Outgoing]] = []
        for is_written, message in self._waiting_write:
            if is_written():
                written.append(message)
            else:
                unwritten.append((is_written, message))
        self._waiting_write = unwritten
        return written

    def drain(self) -> list[Outgoing]:
        """Take out everything: the connection is gone and nobody will say what arrived."""
        messages = [*self._waiting_ack.values(), *(message for _, message in self._waiting_write)]
        self._waiting_ack.clear()
        self._waiting_write.clear()
        self.broker_limit = 65535
        return messages
