"""Frames of codes to the wire: gate, packetizer, publisher and gap events in one row."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from gateway.announcer import Announcer
from gateway.encoder_worker import FrameMark
from gateway.packetizer import Packetizer
from gateway.packing import AdaptivePacking
from gateway.silence_gate import SilenceGate
from gateway.tiers import TieredPublisher
from protocol.packet import TokenPacket

__all__ = ["StreamWriter"]


class StreamWriter:
    """The FrameWriter of a running stream. Called on the encoder worker's thread; `finish` also after it has ended.

    gate: of a stream that is silent in pauses; None: every frame is sent. packing: chooses the length of each packet;
    None: all as the packetizer was made.
    """

    def __init__(
        self,
        packetizer: Packetizer,
        publisher: TieredPublisher,
        announcer: Announcer,
        *,
        live: bool,
        gate: SilenceGate | None = None,
        packing: AdaptivePacking | None = None,
    ) -> None:
        self._packetizer = packetizer
        self._publisher = publisher
        self._announcer = announcer
        self._live = live
        self._gate = gate
        self._packing = packing

    def write(self, mark: FrameMark, codes: NDArray[np.int64]) -> None:
        """One frame, codes `[K]`."""
        if self._gate is None:
            self._send(mark, self._packetizer.push(mark.index, codes))
            return
        step = self._gate.push(mark, codes)
        packets = [packet for held in step.frames for packet in self._packetizer.push(held[0].index, held[1])]
        if step.pause_after:
            packets = [*packets, *self._packetizer.flush()]
            # It was pushed just now and nothing waits any more: the last packet ends with it.
            packets[-1] = dataclasses.replace(packets[-1], pause_after=step.pause_after)
        if step.frames:
            self._announcer.sounds()
        self._send(mark, packets)
        if step.pause_after:
            self._announcer.pauses()
        elif step.pausing:
            self._announcer.heartbeat_tick()

    def gap(self, first: int, frames: int) -> None:
        """What is pending goes out first: it comes before the gap."""
        self.finish()
        self._announcer.gap(first, frames)

    def _send(self, mark: FrameMark, packets: list[TokenPacket]) -> None:
        if packets:
            self._announcer.clock_tick(mark, live=self._live)
            if self._packing is not None:  # before they are handed over: it asks about those before them
                self._packetizer.frames_per_packet = self._packing.packet_full()
        for packet in packets:
            self._publisher.publish(packet)

    def finish(self) -> None:
        """Send what is pending as a short packet, or nothing. What a pause holds back is not sent any more."""
        if self._gate is not None:
            self._gate.drop_held()
        for packet in self._packetizer.flush():
            self._publisher.publish(packet)
