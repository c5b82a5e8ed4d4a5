"""Passes a stream on under another name, and plays mischief with its packets."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from protocol.event import decode_event, encode_event
from protocol.manifest import decode_manifest, encode_manifest
from protocol.packet import TokenPacket, decode_packet, encode_packet
from protocol.transport import BrokerConfig, Connection, Message
from tests.faults.mischief import Mischief, PacketMischief
from tests.integration.watcher import DEADLINE_S, TOPICS


class Repeater:
    """From `source` to `target`, both at one broker; retained things stay retained. A context manager, not reusable."""

    def __init__(self, url: str, *, source: str, target: str, mischief: Mischief, seed: int) -> None:
        self._source, self._target = source, target
        self.mischief = PacketMischief(mischief, seed=seed)
        self._connection = Connection(BrokerConfig(url=url))
        self._lock = threading.Lock()
        self._codebook_size = 0

    def __enter__(self) -> Self:
        self._connection.start()
        # The audio comes at the publisher's QoS, so that nothing is lost here that was not meant to be.
        self._connection.subscribe(TOPICS.manifest(self._source), 1, self._on_manifest)
        self._connection.subscribe(TOPICS.event(self._source), 1, self._on_event)
        self._connection.subscribe(TOPICS.tokens(self._source), 1, self._on_packet)
        self._connection.wait_connected(DEADLINE_S)
        assert self._connection.flush(DEADLINE_S), "the repeater could not subscribe"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.stop()

    def _on_manifest(self, message: Message) -> None:
        with self._lock:
            payload = message.payload
            if payload:
                manifest = self.mischief.manifest(decode_manifest(payload), self._target)
                self._limits = manifest.packet_limits(0)
                self._qos = manifest.qos
                self._codebook_size = manifest.codec.codebook_size
                payload = encode_manifest(manifest)
            self._connection.publish(TOPICS.manifest(self._target), payload, qos=1, retain=True, reliable=True)

    def _on_event(self, message: Message) -> None:
        with self._lock:
            for packet in self.mischief.flush():  # what is held back belongs before it
                self._send(packet)
            payload = encode_event(self.mischief.event(decode_event(message.payload)))
            self._connection.publish(TOPICS.event(self._target), payload, qos=1, reliable=True)

    def _on_packet(self, message: Message) -> None:
        with self._lock:
            for packet in self.mischief.packet(decode_packet(message.payload, self._limits)):
                self._send(packet)

    def _send(self, packet: TokenPacket) -> None:
        payload = encode_packet(packet, codebook_size=self._codebook_size)
        # In one lane with the events: the order of the two is the gateway's, and is not to be disturbed here.
        self._connection.publish(TOPICS.tokens(self._target), payload, qos=self._qos, reliable=True)
