"""How many frames go into a packet: more where the link takes them slowly, fewer again once it does not."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocol.limits import MAX_FRAMES_PER_PACKET
from protocol.link import LinkProfile

logger = logging.getLogger(__name__)

__all__ = ["AdaptivePacking", "LinkView", "PackingStats", "longest_packet"]

LADDER: Final = (1, 2, 5, 10, MAX_FRAMES_PER_PACKET)
"""A step halves what headers and acknowledgements cost, about: 17.7, 10, 5.3, 3.8 and 2.8 kbit/s with TCP/IP."""

SLOW_PACKETS: Final = 2
"""So many packets in a row found their forerunner still on its way: one alone is a hiccup."""

CALM_S: Final = 10.0
"""So long without such a packet, and it is tried with fewer frames; twice as long each time that it was too early."""

LONGEST_CALM_S: Final = 160.0

DELAY_SHARE: Final = 2 / 3
"""Of the playout delay that the waiting for a fuller packet may use up: the rest is for the network."""


@dataclass(frozen=True, slots=True)
class LinkView:
    """What the connection says when a packet is full. waiting_frames: handed to it and neither acknowledged, nor, at
    QoS 0, written, nor dropped."""

    connected: bool
    waiting_frames: int


@dataclass(slots=True)
class PackingStats:
    """Counters that only rise."""

    packing_raised: int = 0
    packing_lowered: int = 0


def longest_packet(profile: LinkProfile, *, frame_s: float) -> int:
    """The most frames a packet may have so that a player with the profile's playout delay is not late for the first of
    them: it began to play by packets of the usual length."""
    extra = int(profile.playout_delay_ms / 1000 * DELAY_SHARE / frame_s)
    fits = [rung for rung in LADDER if rung <= profile.frames_per_packet + extra]
    return max(profile.frames_per_packet, *fits)


class AdaptivePacking:
    """Asked at each packet's end what the next one is to hold. Pure but for `look`; one thread.

    usual: frames of the profile, below which it never goes. most: see `longest_packet`.
    """

    def __init__(self, look: Callable[[], LinkView], *, usual: int, most: int, clock: Callable[[], float]) -> None:
        if not 1 <= usual <= most <= MAX_FRAMES_PER_PACKET:
            raise ValueError(f"1 <= usual <= most <= {MAX_FRAMES_PER_PACKET} expected, got {usual} and {most}")
        self._look = look
        self._clock = clock
        self._rungs = [usual, *(rung for rung in LADDER if usual < rung <= most)]
        self._rung = 0
        self._slow_packets = 0
        self._calm_since = clock()
        self._calm_s = CALM_S
        self._lowered_at = -math.inf
        self.stats = PackingStats()

    @property
    def frames(self) -> int:
        """What a packet holds now."""
        return self._rungs[self._rung]

    def packet_full(self) -> int:
        """A packet is about to be handed over: how many frames the next one gets."""
        now, view = self._clock(), self._look()
        if not view.connected:
            # Darkness is not slowness: longer packets would only make the first sound after it later.
            self._slow_packets, self._calm_since = 0, now
        elif view.waiting_frames:
            self._slow_packets, self._calm_since = self._slow_packets + 1, now
            if self._slow_packets >= SLOW_PACKETS:
                self._raise(now)
        else:
            self._slow_packets = 0
            if now - self._calm_since >= self._calm_s:
                self._lower(now)
        return self.frames

    def _raise(self, now: float) -> None:
        self._slow_packets = 0
        if self._rung == len(self._rungs) - 1:
            return
        self._rung += 1
        self.stats.packing_raised += 1
        logger.info("the link acknowledges slowly: %d frames a packet from now on", self.frames)
        if now - self._lowered_at < self._calm_s:  # fewer frames were too few
            self._calm_s = min(2 * self._calm_s, LONGEST_CALM_S)

    def _lower(self, now: float) -> None:
        self._calm_since = now
        if self._rung == 0:
            self._calm_s = CALM_S
            return
        self._rung -= 1
        self._lowered_at = now
        self.stats.packing_lowered += 1
        logger.info("the link keeps up: %d frames a packet from now on", self.frames)
