"""Packets to the broker: the last hand a frame passes through at the gateway."""

from __future__ import annotations

from protocol.entropy import CodesCoder
from protocol.packet import TokenPacket, encode_packet
from protocol.transport import PublishingConnection

__all__ = ["Publisher"]


class Publisher:
    """Token packets of one tier to its topic, as live audio: a full outbox drops its oldest packet, counted by frames.

    tier: 0 is the base, whose packets carry the weight of their frames: a frame is published when its base is. The
    higher a tier, the sooner its packets give way. max_age_s: so long they are worth sending; None: as the base.

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
        tier: int = 0,
        max_age_s: float | None = None,
    ) -> None:
        self._connection = connection
        self.topic = topic
        self._tier = tier
        self._max_age_s = max_age_s
        self._qos = qos
        self._codebook_size = codebook_size
        self._coder = coder
        self.packets = 0
        self.payload_bytes = 0
        self.bytes_saved = 0
        """By entropy coding."""

    def publish(self, packet: TokenPacket) -> None:
        """Hand a packet to the connection; never blocks on the network."""
        payload = encode_packet(packet, codebook_size=self._codebook_size, coder=self._coder)
        self._connection.publish(
            self.topic,
            payload,
            qos=self._qos,
            weight=0 if self._tier else packet.num_frames,
            drop_precedence=self._tier,
            max_age_s=self._max_age_s,
        )
        self.packets += 1
        self.payload_bytes += len(payload)
        if self._coder is not None:
            self.bytes_saved += len(encode_packet(packet, codebook_size=self._codebook_size)) - len(payload)
