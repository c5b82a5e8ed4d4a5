"""From a message on a token topic to its packet: which are looked at, which wait, and which are none."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass

from edge_player.intake.episode import Episode
from edge_player.intake.flood_gate import FloodGate
from edge_player.intake.inbox import InboxMessage
from edge_player.intake.receiver_values import ReceiverStats
from protocol.entropy import EntropyTables
from protocol.epoch import epoch_low7
from protocol.errors import PacketError
from protocol.limits import MAX_RATE_FACTOR
from protocol.manifest import StreamManifest
from protocol.packet import PacketLimits, TokenPacket, decode_packet

logger = logging.getLogger(__name__)

EARLY_PACKETS = 64
"""Packets kept while their manifest is still on its way; the oldest give way."""


@dataclass(frozen=True, slots=True)
class ReadPacket:
    """A packet of an epoch we know, and the message it came in. is_newest: of the newest epoch."""

    packet: TokenPacket
    message: InboxMessage
    is_newest: bool


class PacketReader:
    """Reads packets by the rules of their epoch: the newest one, or the one before, whose tail still comes.

    tables: the decoder's, for streams that are entropy-coded. Owned by the player worker. Counts in the stats it is
    given; never raises on what came.
    """

    def __init__(self, stream: str, stats: ReceiverStats, tables: EntropyTables | None = None) -> None:
        self._stream, self._stats, self._tables = stream, stats, tables
        self._gate = FloodGate()
        self._flood, self._bad = Episode(), Episode()
        self._epochs: deque[tuple[int, tuple[PacketLimits, ...]]] = deque(maxlen=2)  # the newest first
        self._early: deque[InboxMessage] = deque(maxlen=EARLY_PACKETS)

    def open(self, manifest: StreamManifest, *, packets_per_s: float, at: float) -> list[ReadPacket]:
        """A new epoch was announced at `at` (seconds), of that usual rate. Returns what came before its manifest."""
        limits = tuple(manifest.packet_limits(tier, self._tables) for tier in range(len(manifest.tiers)))
        self._epochs.appendleft((epoch_low7(manifest.epoch), limits))
        self._gate.expect(packets_per_s, at)
        waited = [self._decode(message) for message in self._early]
        self._early.clear()
        return [read for read in waited if read is not None]

    def admit(self, at: float) -> bool:
        """Whether a packet that came at `at` is looked at; before any work is done for it."""
        if self._gate.admit(at):
            return True
        self._stats.flood_dropped += 1
        if self._flood.begins(at):
            logger.warning(
                "stream %s: more than %d times the usual %.1f packets a second come; dropping what is too much",
                self._stream,
                MAX_RATE_FACTOR,
                self._gate.usual_rate,
            )
        return False

    def read(self, message: InboxMessage) -> ReadPacket | None:
        """The packet in it; None where it is none of ours, and where it has to wait for its manifest."""
        if not self._epochs:
            self._stats.packets_early += 1
            self._early.append(message)
            return None
        return self._decode(message)

    def _decode(self, message: InboxMessage) -> ReadPacket | None:
        # An epoch may have another tier map than the one before it: a packet is read by the rules of its own.
        newest, oldest = self._epochs[0][0], self._epochs[-1][0]
        objection = "its manifest names no such tier"
        for epoch, limits in self._epochs:
            if message.tier >= len(limits):
                continue
            try:
                packet = decode_packet(message.payload, limits[message.tier])
            except PacketError as error:
                objection = str(error)
                continue
            if packet.epoch == epoch:
                return ReadPacket(packet, message, is_newest=epoch == newest)
            if epoch == oldest:
                self._stats.packets_unexpected += 1
                return None
        self._stats.packets_bad += 1
        level = logging.WARNING if self._bad.begins(message.received_at) else logging.DEBUG
        logger.log(
            level, "stream %s: what came on its topic t%d is no packet: %s", self._stream, message.tier, objection
        )
        return None
