"""Packets far from the play position: whether one of them is to be believed."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.packet import TokenPacket


@dataclass(frozen=True, slots=True)
class PlacedPacket:
    """A packet and its place in the epoch.

    index: the extended one of its first frame. received_at: seconds on the caller's clock.
    """

    packet: TokenPacket
    index: int
    tier: int
    received_at: float


class FarPackets:
    """Remembers the last one. A jump is believed when two packets in a row agree on it: one damaged or forged packet
    moves nothing.
    """

    def __init__(self, max_gap_frames: int) -> None:
        """max_gap_frames: so far apart two packets that agree may be."""
        self._max_gap_frames = max_gap_frames
        self._last: PlacedPacket | None = None

    def note(self, packet: PlacedPacket) -> PlacedPacket | None:
        """One came; the one before it, where it lies shortly ahead of this one."""
        last, self._last = self._last, packet
        if last is not None and 0 < packet.index - last.index <= self._max_gap_frames:
            return last
        return None

    def forget(self) -> None:
        """Packets come from near by again, or the jump was made."""
        self._last = None
