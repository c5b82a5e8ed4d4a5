"""One stream over several connections: what comes first is played, and what comes again is a copy of it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from edge_player.intake.inbox import InboxKind, InboxMessage

MEMORY_PACKETS = 4096
"""Packets that are known again: five minutes of the smallest. A connection that stood still hands over all of it."""

_DIGEST_BYTES = 16
"""A digest, not the payload: who floods a topic with large messages must not fill our memory."""


@dataclass(slots=True)
class FirstCopyStats:
    """Counters that only rise. copies_dropped: had come over another connection. spare_packets_first: came over a
    spare before the first connection had them.
    """

    copies_dropped: int = 0
    spare_packets_first: int = 0


class FirstCopy:
    """Passes each token packet once, whichever connection is ahead. Owned by the player worker.

    What comes twice over one connection is no copy of ours but a duplicate (QoS 1 may send one): the k-th time that a
    packet comes over a connection, it passes unless another connection has brought it k times. So behind this stands
    exactly what came over the best of the connections, duplicates included, and all that counts there is as with one.
    """

    def __init__(self, connections: int, *, memory_packets: int = MEMORY_PACKETS) -> None:
        """With one connection everything passes unseen, and nothing is remembered."""
        self.stats = FirstCopyStats()
        self._connections = connections
        self._memory_packets = memory_packets
        self._seen: OrderedDict[bytes, list[int]] = OrderedDict()  # times that it came, by connection

    def admit(self, message: InboxMessage) -> bool:
        """Whether it is to be looked at. Control messages come over the first connection only, and always are."""
        if self._connections == 1 or message.kind is not InboxKind.TOKENS:
            return True
        times = self._seen.setdefault(_identity(message), [0] * self._connections)
        passed = max(times)
        times[message.connection] += 1
        if times[message.connection] <= passed:
            self.stats.copies_dropped += 1
            return False
        if len(self._seen) > self._memory_packets:
            self._seen.popitem(last=False)
        self.stats.spare_packets_first += message.connection > 0
        return True


def _identity(message: InboxMessage) -> bytes:
    """Of what is the same packet: the bytes, epoch and first frame among them, and the topic that they came on."""
    place = bytes((message.tier, message.retained))
    return hashlib.blake2b(place + message.payload, digest_size=_DIGEST_BYTES).digest()
