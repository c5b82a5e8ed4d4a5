"""Frames of codes to packets: batching, epoch and frame index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocol.packet import TokenPacket

__all__ = ["Packetizer"]


class Packetizer:
    """Collects `frames_per_packet` neighbouring frames into a TokenPacket; it may be changed between two frames.

    epoch_low7: the low 7 bits of the stream's epoch. layers: how many layers, from 0 up, go on the wire.
    The index counts without bound here and is cut to 32 bits in the packet.
    """

    def __init__(self, *, epoch_low7: int, frames_per_packet: int, layers: int) -> None:
        if frames_per_packet < 1:
            raise ValueError(f"a packet carries at least one frame, asked for {frames_per_packet}")
        self._epoch = epoch_low7
        self.frames_per_packet = frames_per_packet
        self._layers = layers
        self._first = 0
        self._frames: list[NDArray[np.uint16]] = []

    @property
    def pending(self) -> int:
        """Frames that wait for their packet to fill."""
        return len(self._frames)

    def push(self, index: int, codes: NDArray[np.int64]) -> list[TokenPacket]:
        """Take one frame, codes `[K]`. Returns what became due: mostly nothing, two packets at most after a gap."""
        due: list[TokenPacket] = []
        if self._frames and index != self._first + len(self._frames):
            due.extend(self.flush())  # a packet has no hole in it
        if not self._frames:
            self._first = index
        self._frames.append(codes[: self._layers].astype(np.uint16))
        if len(self._frames) >= self.frames_per_packet:
            due.extend(self.flush())
        return due

    def flush(self) -> list[TokenPacket]:
        """What is pending as a short packet, or nothing."""
        if not self._frames:
            return []
        codes = np.stack(self._frames, axis=1)
        self._frames.clear()
        return [TokenPacket(epoch=self._epoch, first_frame=self._first & 0xFFFFFFFF, codes=codes)]
