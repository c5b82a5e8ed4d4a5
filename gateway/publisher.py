"""Packets to the broker: the last hand a frame passes through at the gateway."""

from __future__ import annotations

from protocol.packet import TokenPacket, encode_packet
from protocol.transport import PublishingConnection

__all__ = ["Publisher"]


class Publisher:
    """Token packets to one topic, as live audio: a full outbox drops its oldest packet and counts its frames.

    No message expiry: the property costs 5 bytes a packet, and the outbox already bounds the age of what is sent.
    """

    def __init__(self, connection: PublishingConnection, *, topic: str, qos: int, codebook_size: int) -> None:
        self._connection = connection
        self._topic = topic
        self._qos = qos
        self._codebook_size = codebook_size
        self.packets = 0
        self.payload_bytes = 0

    def publish(self, packet: TokenPacket) -> None:
        """Hand a packet to the connection; never blocks on the network. Its weight is its number of frames."""
        payload = encode_packet(packet, codebook_size=self._codebook_size)
        self._connection.publish(self._topic, payload, qos=self._qos, weight=packet.codes.shape[1])
        self.packets += 1
        self.payload_bytes += len(payload)
