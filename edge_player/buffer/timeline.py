"""The epochs of a stream, one after the other: the one that plays and the one that follows it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

from edge_player.buffer.capture_clock import CaptureClock
from edge_player.buffer.jitter_buffer import (
    InsertResult,
    JitterBuffer,
    JitterConfig,
    JitterStats,
    Lost,
    Ready,
    Silent,
    Wait,
)
from edge_player.buffer.ledger import FrameLedger
from edge_player.intake.tiers import TierMap
from protocol.epoch import epoch_low7
from protocol.event import ClockReport
from protocol.packet import TokenPacket

KEPT_LEDGERS = 32
"""Ledgers of past epochs that stay readable; totals hold all of them."""


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """What one epoch needs to be played: taken from its manifest."""

    epoch: int
    first_frame: int
    tiers: TierMap
    jitter: JitterConfig
    capture: CaptureClock
    silence: bool = False
    """Whether nothing comes while nobody speaks, heartbeats aside."""

    @property
    def packet_s(self) -> float:
        """How long the usual packet lasts, seconds."""
        return self.jitter.frames_per_packet * self.jitter.frame_duration_s


@dataclass(slots=True)
class EpochTrack:
    """One epoch being played: its plan, its buffer, its ledger."""

    plan: EpochPlan
    buffer: JitterBuffer
    ledger: FrameLedger

    def settle(self) -> None:
        """Bring the ledger up to date with the buffer."""
        self.ledger.due = self.buffer.due_frames
        self.ledger.skipped = self.buffer.stats.skipped_frames


class Timeline:
    """At most two epochs: the present one plays to its end, or until the next one's first frame is due.

    Owned by the player worker. `on_switch(plan)` is called when another epoch starts to play.
    """

    def __init__(self, on_switch: Callable[[EpochPlan], None] | None = None) -> None:
        self._on_switch = on_switch
        self._current: EpochTrack | None = None
        self._next: EpochTrack | None = None
        self._past_stats = JitterStats()
        self._past_totals = FrameLedger(epoch=0)
        self.past: deque[FrameLedger] = deque(maxlen=KEPT_LEDGERS)
        self.epochs = 0
        self.unknown_epoch = 0
        self.bad_ends = 0

    @property
    def current(self) -> EpochTrack | None:
        """The epoch that plays now."""
        return self._current

    @property
    def newest_epoch(self) -> int | None:
        """The last epoch that was opened."""
        plan = self.newest_plan
        return None if plan is None else plan.epoch

    @property
    def newest_plan(self) -> EpochPlan | None:
        """Of the epoch that was opened last."""
        newest = self._next or self._current
        return None if newest is None else newest.plan

    @property
    def ended(self) -> bool:
        """Whether an epoch was opened and all of it, and of any that followed, was given out."""
        return self._current is not None and self._current.buffer.ended and self._next is None

    def open(self, plan: EpochPlan) -> bool:
        """Get ready for an epoch; False when it is already known. One that never started is replaced."""
        if any(track is not None and track.plan.epoch == plan.epoch for track in (self._current, self._next)):
            return False
        self.epochs += 1
        buffer = JitterBuffer(plan.jitter, plan.tiers, first_frame=plan.first_frame)
        track = EpochTrack(plan, buffer, FrameLedger(epoch=plan.epoch))
        if self._current is None:
            self._start(track)
            return True
        if self._next is not None:
            self._retire(self._next)
        self._next = track
        if not self._current.buffer.anchored or self._current.buffer.ended or self._current.buffer.starved:
            self._switch()
        return True

    def insert(self, packet: TokenPacket, received_at: float, *, tier: int = 0) -> InsertResult | None:
        """File a packet with its epoch; None when no known epoch has those 7 bits (counted)."""
        # The newer first: should both share their 7 bits, the old one sends no more.
        for track in (self._next, self._current):
            if track is not None and epoch_low7(track.plan.epoch) == packet.epoch:
                result = track.buffer.insert(packet, received_at, tier=tier)
                track.ledger.forget_lost(track.buffer.take_withdrawn())
                return result
        self.unknown_epoch += 1
        return None

    def follow(self, tiers: Iterable[int]) -> None:
        """These tiers of the newest epoch are subscribed to now."""
        newest = self._next or self._current
        if newest is not None:
            newest.buffer.follow(tiers)

    def expect(self, epoch: int, first_frame: int) -> None:
        """That epoch starts now, with `first_frame`."""
        track = self._find(epoch)
        if track is not None:
            track.buffer.expect(first_frame)

    def hear_heartbeat(self, epoch: int, received_at: float) -> bool:
        """The sender of the newest epoch sends nothing, because nobody speaks. epoch: its low 7 bits; False where
        they are those of another."""
        newest = self._next or self._current
        if newest is None or epoch_low7(newest.plan.epoch) != epoch:
            return False
        newest.buffer.hear_heartbeat(received_at)
        return True

    def forget_pause(self) -> None:
        """The sender is gone: a pause that it began is no pause any more."""
        for track in (self._current, self._next):
            if track is not None:
                track.buffer.forget_pause()

    def report_clock(self, report: ClockReport) -> None:
        """When a frame of that epoch was captured."""
        track = self._find(report.epoch)
        if track is not None:
            track.plan.capture.update(report)

    def end(self, epoch: int, last_frame: int) -> bool:
        """That epoch ends with `last_frame`; False when it is not known."""
        track = self._find(epoch)
        if track is None:
            return False
        before = track.buffer.due_frames
        overshoot = track.buffer.end(last_frame)
        if overshoot:
            track.ledger.forget_lost(overshoot)
        elif before and last_frame < track.buffer.next_frame - 1:
            self.bad_ends += 1
        return True

    def close(self, epoch: int | None = None) -> None:
        """The sender is gone without saying where the epoch ends (None: whichever is the newest)."""
        wanted = self.newest_epoch if epoch is None else epoch
        track = None if wanted is None else self._find(wanted)
        if track is not None:
            track.buffer.close()

    def pull(self, now: float) -> Ready | Lost | Silent | Wait:
        """The next frame due, over the border of two epochs too."""
        track = self._current
        if track is None:
            return Wait(None)
        if self._next is not None and (track.buffer.ended or track.buffer.starved or self._next.buffer.starts_by(now)):
            self._switch()
            track = self._current
            assert track is not None
        item = track.buffer.pull(now)
        if isinstance(item, Wait) and self._next is not None:
            if track.buffer.ended or track.buffer.starved:
                return self.pull(now)  # at most once more: the switch above takes the next epoch
            if self._next.buffer.anchored:
                other = self._next.buffer.start_at
                return Wait(other if item.until is None else min(item.until, other))
        return item

    def pass_over(self, seconds: float) -> None:
        """So much time went by in which nobody pulled: what was due in it is skipped."""
        if self._current is not None:
            self._current.buffer.pass_over(seconds)

    def pull_ahead(self, count: int) -> list[Ready]:
        """The next `count` frames before they are due, where all are here; none at the border of two epochs."""
        return [] if self._current is None or self._next is not None else self._current.buffer.pull_ahead(count)

    def count_ahead(self, most: int) -> int:
        """How many frames `pull_ahead` would give, up to `most`."""
        return 0 if self._current is None or self._next is not None else self._current.buffer.count_ahead(most)

    def totals(self) -> FrameLedger:
        """The sum over all epochs so far."""
        total = FrameLedger(epoch=0)
        for track in (self._current, self._next):
            if track is not None:
                track.settle()
        live = [track.ledger for track in (self._current, self._next) if track is not None]
        for ledger in (self._past_totals, *live):
            _add_frames(total, ledger)
        return total

    def stats(self) -> JitterStats:
        """The sum of the buffers' counters over all epochs so far."""
        total = JitterStats()
        live = [track.buffer.stats for track in (self._current, self._next) if track is not None]
        for stats in (self._past_stats, *live):
            _add_stats(total, stats)
        return total

    def _find(self, epoch: int) -> EpochTrack | None:
        return next((t for t in (self._current, self._next) if t is not None and t.plan.epoch == epoch), None)

    def _switch(self) -> None:
        assert self._current is not None
        assert self._next is not None
        old, new = self._current, self._next
        self._next = None
        self._retire(old)
        self._start(new)

    def _start(self, track: EpochTrack) -> None:
        self._current = track
        if self._on_switch is not None:
            self._on_switch(track.plan)

    def _retire(self, track: EpochTrack) -> None:
        track.buffer.abandon()
        track.settle()
        self.past.append(track.ledger)
        _add_frames(self._past_totals, track.ledger)
        _add_stats(self._past_stats, track.buffer.stats)


def _add_frames(total: FrameLedger, part: FrameLedger) -> None:
    total.due += part.due
    total.played += part.played
    total.concealed += part.concealed
    total.skipped += part.skipped
    total.comfort += part.comfort


def _add_stats(total: JitterStats, part: JitterStats) -> None:
    for counter in fields(JitterStats):
        setattr(total, counter.name, getattr(total, counter.name) + getattr(part, counter.name))
