"""One epoch of a stream, put back in order: insert by arrival, pull by frame index.

Pure: no thread, no lock, no clock of its own. `insert` is told when a packet came, `pull` what time it is. Whoever
pulls owns time: each pull while playing takes exactly one frame slot, and a frame that is not there at that moment is
lost, whatever comes later (a buffer that waits for overflow instead turns one lost packet into a second of silence).

Frame indices are the extended ones, counted from the start of the epoch. The first frame due is the anchor: the first
one accepted; it sounds one playout delay after the least delayed of the first packets. From there on

    due_frames = frames given out as Ready + as Lost + skipped_frames

holds at every moment. Nothing here loops over, or allocates for, an index that came from outside.
"""

from __future__ import annotations

import enum
import itertools
from collections import deque
from dataclasses import dataclass

from edge_player.buffer.frame_store import FrameStore
from edge_player.buffer.jitter_values import InsertResult, JitterConfig, JitterStats, Lost, Ready, Wait
from edge_player.buffer.lateness import Lateness
from edge_player.buffer.loss_run import LossRun
from edge_player.intake.tiers import TierMap
from protocol.packet import TokenPacket
from protocol.sequence import extend_serial

__all__ = ["InsertResult", "JitterBuffer", "JitterConfig", "JitterStats", "Lost", "Ready", "Wait"]

END_GRACE_S = 1.0
"""How long packets may come after the event that ended their epoch, where none came before it."""

KEPT_ARRIVALS = 64
"""Arrivals that nobody took notice of yet."""

CATCH_UP_S = 0.5
"""Sound that comes back this much after it should have begun begins where it would be by now: a burst after a break
holds audio whose time has passed."""


class _Phase(enum.Enum):
    EMPTY = enum.auto()  # no frame yet: no anchor
    BUFFERING = enum.auto()  # the next frame sounds at _start_at
    PLAYING = enum.auto()  # each pull takes one frame slot
    STARVED = enum.auto()  # nothing came for long: nothing is due until something comes
    ENDED = enum.auto()  # the last frame of the epoch was given out


@dataclass(frozen=True, slots=True)
class _Held:
    packet: TokenPacket
    index: int
    tier: int
    received_at: float


class JitterBuffer:
    """The frames of one epoch, in order and on time. Not thread-safe: one worker owns it."""

    def __init__(self, config: JitterConfig, tiers: TierMap, *, first_frame: int = 0) -> None:
        """`first_frame`: extended index of the epoch's first frame, from the manifest."""
        self.config = config
        self.stats = JitterStats()
        self._tiers = tiers
        self._base_tiers = tiers.base_tiers
        self._epoch_first = first_frame
        self._expected_first: int | None = None
        self._phase = _Phase.EMPTY
        self._store = FrameStore()
        self._next = first_frame
        self._segment_first = first_frame  # where the present run of due frames began
        self._closed_due = 0  # due frames of earlier runs
        self._start_at = 0.0
        self._losses = LossRun()
        self._fresh = True
        self._last: int | None = None
        self._closing = False
        self._give_up_at: float | None = None
        self._newest_end: dict[int, int] = {}
        self._held: _Held | None = None
        self._lateness = Lateness()
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=KEPT_ARRIVALS)
        self.retimed = 0
        """How often the time at which it plays was set anew."""

    # -- what is known now

    @property
    def due_frames(self) -> int:
        """Frames from the anchor up to the play position."""
        return self._closed_due + self._next - self._segment_first

    @property
    def stored_frames(self) -> int:
        """Frames held that were not given out yet."""
        return len(self._store)

    @property
    def next_frame(self) -> int:
        """The play position: index of the next frame to give out."""
        return self._next

    @property
    def anchored(self) -> bool:
        """Whether a first frame is known."""
        return self._phase is not _Phase.EMPTY

    @property
    def ended(self) -> bool:
        """Whether the last frame of the epoch was given out."""
        return self._phase is _Phase.ENDED

    @property
    def starved(self) -> bool:
        """Whether nothing is due because nothing came for long."""
        return self._phase is _Phase.STARVED

    @property
    def start_at(self) -> float:
        """When its first frame is due; meaningful once anchored and until it plays."""
        return self._start_at

    @property
    def overfull(self) -> bool:
        """Whether so much is held that the next frame due is that of the live edge."""
        return len(self._store) > self.config.capacity_frames

    def starts_by(self, now: float) -> bool:
        """Whether its first frame is due by `now`."""
        return self._phase is _Phase.PLAYING or (self._phase is _Phase.BUFFERING and self._start_at <= now)

    def take_arrivals(self) -> list[tuple[int, float]]:
        """Of the packets that came while it played, since the last call: how many frames their first one was away from
        the play position (negative: late), and when they came. Of a frame's first layers, without duplicates."""
        taken = list(self._arrivals)
        self._arrivals.clear()
        return taken

    def expect(self, first_frame: int) -> None:
        """We are here from the start: that frame is due, even should its packet be the first one lost."""
        if self._phase is _Phase.EMPTY and first_frame >= self._epoch_first:
            self._expected_first = first_frame

    # -- arrivals

    def insert(self, packet: TokenPacket, received_at: float, *, tier: int = 0) -> InsertResult:
        """File a packet that came at `received_at` seconds on the caller's clock. Never raises on what came."""
        if not 0 <= tier < len(self._tiers):
            self.stats.refused += 1
            return InsertResult.REFUSED
        index = extend_serial(packet.first_frame, self._next)
        if index < self._epoch_first or self._phase is _Phase.ENDED or (self._last is not None and index > self._last):
            self.stats.refused += 1
            return InsertResult.REFUSED
        if self._phase is _Phase.EMPTY:
            self._anchor(index, received_at)
        elif abs(index - self._next) > self.config.max_gap_frames:
            return self._insert_far(_Held(packet, index, tier, received_at))
        return self._insert_near(packet, index, tier, received_at)

    def _anchor(self, index: int, received_at: float) -> None:
        first = self._expected_first
        if first is None or not 0 < index - first <= self.config.max_gap_frames:
            first = index
        self._next = self._segment_first = first
        start_at = received_at + self.config.playout_delay_s - (index - first) * self.config.frame_duration_s
        self._start_at = max(received_at, start_at)
        self._phase = _Phase.BUFFERING

    def _insert_near(self, packet: TokenPacket, index: int, tier: int, received_at: float) -> InsertResult:
        count = packet.codes.shape[1]
        away = index - self._next
        self._adjust_start(index, count, received_at)
        stored = late = known = 0
        for offset in range(count):
            frame = index + offset
            if frame < self._next:
                if self._store.was_given_out(frame, tier):
                    known += 1
                else:
                    late += 1
            elif self._last is not None and frame > self._last:
                continue
            elif self._store.put(frame, tier, packet.codes[:, offset]):
                stored += 1
            else:
                known += 1
        if (stored or late) and self._phase is _Phase.PLAYING and tier in self._base_tiers:
            self._arrivals.append((away, received_at))
        if stored:
            self._held = None
            self.stats.accepted += 1
            self._lateness.note_in_time()
            self.stats.overlaps += bool(known)
            self._note_order(index, count, tier)
            return InsertResult.ACCEPTED
        if known > late:
            self.stats.duplicates += 1
            return InsertResult.DUPLICATE
        self.stats.late += 1
        if self._phase is _Phase.PLAYING and self._lateness.note_late(received_at):
            # Not all of it is late, but some of it again and again: a pause once is better than a stutter for ever.
            self.stats.relocks += 1
            self._rebuffer(
                received_at + self.config.playout_delay_s + (self._next - index) * self.config.frame_duration_s
            )
        return InsertResult.LATE

    def _adjust_start(self, index: int, count: int, received_at: float) -> None:
        """Move the time at which play-out starts, while it has not started or has broken down."""
        delay, duration = self.config.playout_delay_s, self.config.frame_duration_s
        start_at = received_at + delay + (self._next - index) * duration
        if self._phase is _Phase.BUFFERING:
            if index < self._next == self._segment_first and not self._closed_due:
                # An earlier frame overtaken by the anchor: nothing was given out yet, so the anchor moves back.
                self._start_at = max(received_at, self._start_at - (self._next - index) * duration)
                self._next = self._segment_first = index
            else:
                self._start_at = min(self._start_at, start_at)
        elif self._phase is _Phase.STARVED and index >= self._next:
            self._skip_to(index)
            self._rebuffer(received_at + delay)
        elif index + count <= self._next and self._relockable():
            # All that comes is late: the link has become slower. Later is better than never.
            self.stats.relocks += 1
            self._rebuffer(start_at)

    def _relockable(self) -> bool:
        return self._phase is _Phase.STARVED or (
            self._phase is _Phase.PLAYING
            and not self._store
            and self._losses.lost >= self.config.frames(self.config.relock_s)
        )

    def _rebuffer(self, start_at: float) -> None:
        self._note_retimed()
        self._phase = _Phase.BUFFERING
        self._start_at = start_at
        self._fresh = True
        self._losses.forget()

    def _note_retimed(self) -> None:
        self.retimed += 1
        self._arrivals.clear()

    def _note_order(self, index: int, count: int, tier: int) -> None:
        newest_end = self._newest_end.get(tier)
        if newest_end is not None:
            if index < newest_end:
                self.stats.reordered += index + count <= newest_end
            elif index > newest_end:
                self.stats.gaps += 1
                self.stats.gap_frames += index - newest_end
        self._newest_end[tier] = index + count if newest_end is None else max(newest_end, index + count)

    def _insert_far(self, packet: _Held) -> InsertResult:
        """A jump is believed when two packets in a row agree on it: one damaged or forged packet moves nothing."""
        held, self._held = self._held, packet
        agrees = held is not None and 0 < packet.index - held.index <= self.config.max_gap_frames
        backward = packet.index < self._next
        if backward and not agrees:
            # Late beyond memory. Only when nothing plays any more can it be the sender who went back.
            self.stats.late += 1
            return InsertResult.LATE
        if not agrees or held is None or (backward and not (self._relockable() or self._anchor_is_alone)):
            self.stats.held += 1
            return InsertResult.HELD
        self._held = None
        self._jump(held)
        self._insert_near(held.packet, held.index, held.tier, held.received_at)
        self._insert_near(packet.packet, packet.index, packet.tier, packet.received_at)
        return InsertResult.RESYNCED

    def _jump(self, target: _Held) -> None:
        self.stats.resyncs += 1
        self._newest_end.clear()
        if self._anchor_is_alone:
            # Two against one: nothing that lies between the anchor and these two ever was due.
            self._store.clear()
            self._next = self._segment_first = target.index
        elif target.index >= self._next:
            self._skip_to(target.index)
        else:
            self._closed_due = self.due_frames
            self._store.clear()
            self._next = self._segment_first = target.index
        self._rebuffer(target.received_at + self.config.playout_delay_s)

    @property
    def _anchor_is_alone(self) -> bool:
        """Whether one packet only says where the stream stands, and no frame was due yet."""
        return self._phase is _Phase.BUFFERING and self.stats.accepted <= 1 and self.due_frames == 0

    def _skip_to(self, index: int) -> None:
        self.stats.skipped_frames += index - self._next
        self._next = index
        self._store.drop_before(index)

    # -- the end

    def end(self, last_frame: int) -> int:
        """The epoch ends with `last_frame` (extended index). Returns how many frames were given out as lost beyond it.

        Those never existed: they are taken out of `due_frames`, and the caller takes them out of its own counts. An end
        that lies before frames that really came is not believed; 0 is returned and nothing changes.
        """
        overshoot = max(0, self._next - last_frame - 1) if self.anchored else 0
        heard = self._phase in (_Phase.PLAYING, _Phase.STARVED)
        if not self._losses.covers(overshoot, heard=heard) or self._phase is _Phase.ENDED:
            return 0
        self._next -= overshoot
        lost, passed = self._losses.take_back(overshoot)
        self.stats.skipped_frames -= passed
        self._last = last_frame
        self._store.drop_after(last_frame)
        if last_frame < self._epoch_first or (self.anchored and self._next > last_frame) or self.starved:
            self._finish_at(last_frame)
        return lost

    def close(self) -> None:
        """The sender is gone without a last word: play what is here and what still comes, then end."""
        self._closing = True
        if self.starved:
            self._finish_at(self._next - 1)

    def abandon(self) -> None:
        """Give up what was not given out yet: a newer epoch takes over. Counted as skipped."""
        if self._phase is not _Phase.ENDED:
            newest = self._store.newest
            seen = self._next - 1 if newest is None else newest
            self._finish_at(seen if self._last is None else self._last)

    def _finish_at(self, last_frame: int) -> None:
        if self.anchored and last_frame >= self._next:
            self._skip_to(last_frame + 1)
        self._store.drop_waiting()
        self._phase = _Phase.ENDED

    # -- play-out

    def pull(self, now: float) -> Ready | Lost | Wait:
        """The next frame due at `now` (seconds, the clock of `received_at`), its loss, or how long nothing is due."""
        if self._phase is _Phase.BUFFERING:
            if now < self._start_at:
                return Wait(self._start_at)
            self._phase = _Phase.PLAYING
            if self.due_frames and now - self._start_at >= CATCH_UP_S:
                self.pass_over(now - self._start_at)
        if self._phase is _Phase.EMPTY and (self._closing or self._last is not None):
            return self._await_overtaken(now)
        if self._phase is not _Phase.PLAYING:
            return Wait(None)
        if (self._last is not None and self._next > self._last) or (self._closing and not self._store):
            self._finish_at(self._next - 1)
            return Wait(None)
        if self.overfull:
            self._skip_to_live_edge()
        elif self._losses.lost >= self.config.frames(self.config.starve_s) and not self._store and self._last is None:
            self._phase = _Phase.STARVED
            self.stats.starvations += 1
            return Wait(None)
        return self._take()

    def pass_over(self, seconds: float) -> None:
        """While playing, so much time went by in which nobody pulled: what was due in it is skipped, here or not.

        The process was stopped, say. Going on where it stood would play all that follows so much too late.
        """
        if self._phase is not _Phase.PLAYING:
            return
        newest = self._store.newest
        known = self._next - 1 if newest is None else newest
        target = self._next + int(seconds / self.config.frame_duration_s + 1e-6)
        if self._last is not None:
            target = min(target, self._last + 1)
        elif self._closing:
            target = min(target, known + 1)
        if target <= self._next:
            return
        if known >= self._next:
            self._losses.forget()
        self._losses.pass_over(max(0, target - 1 - known))
        self._note_retimed()
        self._skip_to(target)
        self._fresh = True

    def pull_ahead(self, count: int) -> list[Ready]:
        """The next `count` frames before they are due, if all of them are here whole and follow the one before; else
        none. Whoever decodes several at once takes them so: no frame is called lost before its time."""
        if self.count_ahead(count) < count:
            return []
        return [item for item in (self._take() for _ in range(count)) if isinstance(item, Ready)]

    def count_ahead(self, most: int) -> int:
        """How many frames `pull_ahead` would give, up to `most`."""
        if self._phase is not _Phase.PLAYING or self._fresh or self._losses.lost or self.overfull:
            return 0
        wanted = self._tiers.wanted_tiers
        here = itertools.takewhile(lambda frame: self._store.has(frame, wanted), itertools.count(self._next))
        return sum(1 for _ in itertools.islice(here, most))

    def _await_overtaken(self, now: float) -> Wait:
        """The last word came before any frame: events overtake packets, so a little longer."""
        if self._give_up_at is None:
            self._give_up_at = now + max(self.config.playout_delay_s, END_GRACE_S)
        if now < self._give_up_at:
            return Wait(self._give_up_at)
        self._phase = _Phase.ENDED
        return Wait(None)

    def _skip_to_live_edge(self) -> None:
        self._note_retimed()
        edge = self._store.start_of_newest(self.config.target_frames)
        if self.due_frames == 0:
            self._next = self._segment_first = edge  # nothing was due yet: simply start later
            self._store.drop_before(edge)
        else:
            self._skip_to(edge)
        self._fresh = True

    def _take(self) -> Ready | Lost:
        frame = self._next
        self._next += 1
        columns = self._store.take(frame)
        if self._base_tiers.isdisjoint(columns):
            self._losses.lost += 1
            return Lost(frame)
        self._store.remember(frame, columns)
        fresh = self._fresh or self._losses.lost >= self.config.frames(self.config.relock_s)
        self._fresh = False
        self._losses.forget()
        return Ready(frame, self._tiers.join(columns), fresh)
