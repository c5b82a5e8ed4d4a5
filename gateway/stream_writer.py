"""Frames of codes to the wire: packetizer, publisher and gap events in one row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gateway.announcer import Announcer
from gateway.encoder_worker import FrameMark
from gateway.packetizer import Packetizer
from gateway.publisher import Publisher

__all__ = ["StreamWriter"]


class StreamWriter:
    """The FrameWriter of a running stream. Called on the encoder worker's thread; `finish` also after it has ended."""

    def __init__(self, packetizer: Packetizer, publisher: Publisher, announcer: Announcer, *, live: bool) -> None:
        self._packetizer = packetizer
        self._publisher = publisher
        self._announcer = announcer
        self._live = live

    def write(self, mark: FrameMark, codes: NDArray[np.int64]) -> None:
        """One frame, codes `[K]`."""
        packets = self._packetizer.push(mark.index, codes)
        if packets:
            self._announcer.clock_tick(mark, live=self._live)
        for packet in packets:
            self._publisher.publish(packet)

    def gap(self, first: int, frames: int) -> None:
        """What is pending goes out first: it comes before the gap."""
        self.finish()
        self._announcer.gap(first, frames)

    def finish(self) -> None:
        """Send what is pending as a short packet, or nothing."""
        for packet in self._packetizer.flush():
            self._publisher.publish(packet)
