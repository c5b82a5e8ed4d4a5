"""Packets to the broker: the last hand a frame passes through at the gateway."""

from __future__ import annotations

from protocol.entropy import CodesCoder
from protocol.packet import TokenPacket, encode_packet
from protocol.transport import PublishingConnection

__all__ = ["Publisher"]


class Publisher:
    """Token packets to one topic, as live audio: a full outbox drops its oldest packet and counts its frames.

    coder: of a stream that is entropy-coded.

    No message expiry: the property costs 5 bytes a packet, and the outbox already bounds the age of what is sent.
    """

    def __init__(
        self,
        connection: PublishingConnection,
        *,
        topic: str,
        qos: int,
        codebook_size: int,
        coder: CodesCoder | None = None,
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._qos = qos
        self._codebook_size = codebook_size
        self._coder = coder
        self.packets = 0
        self.payload_bytes = 0
        self.bytes_saved = 0
        """By entropy coding."""

    def publish(self, packet: TokenPacket) -> None:
        """Hand a packet to the connection; never blocks on the network. Its weight is its number of frames."""
        payload = encode_packet(packet, codebook_size=self._codebook_size, coder=self._coder)
        self._connection.publish(self._topic, payload, qos=self._qos, weight=packet.codes.shape[1])
        self.packets += 1
        self.payload_bytes += len(payload)
        if self._coder is not None:
            self.bytes_saved += len(encode_packet(packet, codebook_size=self._codebook_size)) - len(payload)
