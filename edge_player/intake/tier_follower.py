"""Which tiers of its stream a player is subscribed to, and the changes of it in mid-stream."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from edge_player.buffer.timeline import Timeline
from edge_player.intake.tier_choice import LinkSigns, TierChoice

logger = logging.getLogger(__name__)

Follow = Callable[[Iterable[int], str], None]
"""Asked to be subscribed to exactly these tiers, and to the status of that gateway."""


class MeasuredLag(Protocol):
    """The part of LinkWatch that is used here."""

    @property
    def lag_s(self) -> float:
        """How far the newest packet is behind the least delayed ones, seconds."""

    @property
    def packets(self) -> int:
        """How many came."""


@dataclass(slots=True)
class TierFollowerStats:
    """tiers_followed: now. The others only rise: how often one less was taken, and one more."""

    tiers_followed: int = 0
    tier_steps_down: int = 0
    tier_steps_up: int = 0


class TierFollower:
    """Takes all tiers that the manifest and the settings give it, or with `auto` as many of them as the link bears.

    Owned by the player worker. What is unsubscribed from is still played as far as it is here; what is subscribed to
    is played from the first frame that comes whole: either way the change lies between two frames.
    """

    def __init__(self, follow: Follow, timeline: Timeline, *, stream: str, auto: bool, lag: MeasuredLag) -> None:
        """`lag`: of the base packets of the newest epoch."""
        self.stats = TierFollowerStats()
        self._follow = follow
        self._timeline = timeline
        self._stream = stream
        self._choice = TierChoice() if auto else None
        self._lag = lag
        self._tiers: tuple[int, ...] = ()
        self._gateway_id = ""

    def follow(self, tiers: Iterable[int], gateway_id: str) -> None:
        """The manifest of an epoch, which the timeline has opened, names these."""
        self._tiers, self._gateway_id = tuple(tiers), gateway_id
        plan = self._timeline.newest_plan
        if self._choice is not None and plan is not None:
            self._choice.begin(len(self._tiers), packet_s=plan.packet_s)
        self._subscribe(len(self._tiers) if self._choice is None else self._choice.tiers)

    def look(self, now: float, *, expects_packets: bool) -> None:
        """`expects_packets`: whether the stream is alive and the link to it is up."""
        choice = self._choice
        if choice is None or len(self._tiers) < 2:
            return
        if not expects_packets:
            choice.interrupt()
            return
        before, after = choice.tiers, choice.look(now, self._read_signs())
        if after < before:
            self.stats.tier_steps_down += 1
            why = "" if choice.strain is None else choice.strain.value
            logger.warning("stream %s: taking %d of its %d tiers: %s", self._stream, after, len(self._tiers), why)
        elif after > before:
            self.stats.tier_steps_up += 1
            logger.info("stream %s: calm for a while; trying %d of its %d tiers", self._stream, after, len(self._tiers))
        if after != before:
            self._subscribe(after)

    def _subscribe(self, count: int) -> None:
        taken = self._tiers[:count]
        self.stats.tiers_followed = len(taken)
        self._timeline.follow(taken)
        self._follow(taken, self._gateway_id)

    def _read_signs(self) -> LinkSigns:
        stats, plan = self._timeline.stats(), self._timeline.newest_plan
        return LinkSigns(
            packets=self._lag.packets,
            lag_s=self._lag.lag_s,
            playout_delay_s=0.0 if plan is None else plan.jitter.playout_delay_s,
            troubles=stats.late + stats.gaps + stats.rebuffers,
            due_frames=self._timeline.totals().due,
            thinned_frames=stats.thinned_frames,
        )
