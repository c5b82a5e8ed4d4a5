"""One epoch of a stream, put back in order: insert by arrival, pull by frame index.

Pure: no thread, no lock, no clock of its own. `insert` is told when a packet came, `pull` what time it is. Whoever
pulls owns time: each pull while playing takes exactly one frame slot, and a frame that is not there at that moment is
lost, whatever comes later (a buffer that waits for overflow instead turns one lost packet into a second of silence).

Frame indices are the extended ones, counted from the start of the epoch. The first frame due is the anchor: the first
one accepted; it sounds one playout delay after the least delayed of the first packets. From there on

    due_frames = frames given out as Ready + as Lost + as Silent + skipped_frames

holds at every moment. Nothing here loops over, or allocates for, an index that came from outside.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from edge_player.buffer.epoch_end import EpochEnd
from edge_player.buffer.frame_store import FrameStore
from edge_player.buffer.jitter_values import InsertResult, JitterConfig, JitterStats, Lost, Ready, Silent, Wait
from edge_player.buffer.packet_filing import PacketFiling
from edge_player.buffer.playhead import Phase, Playhead
from edge_player.buffer.silent_spans import SilentSpan, SilentSpans
from edge_player.buffer.tier_expectation import TierExpectation
from edge_player.intake.tiers import TierMap
from protocol.packet import TokenPacket

__all__ = ["InsertResult", "JitterBuffer", "JitterConfig", "JitterStats", "Lost", "Ready", "Silent", "Wait"]

CATCH_UP_S = 0.5
"""Sound that comes back this much after it should have begun begins where it would be by now: a burst after a break
holds audio whose time has passed."""

FOLLOW_S = 2.0
"""From the moment a tier is subscribed to in mid-stream until it should be there."""


class JitterBuffer:
    """The frames of one epoch, in order and on time. Not thread-safe: one worker owns it."""

    def __init__(self, config: JitterConfig, tiers: TierMap, *, first_frame: int = 0) -> None:
        """`first_frame`: extended index of the epoch's first frame, from the manifest."""
        self.config = config
        self.stats = JitterStats()
        self._tiers = tiers
        self._expected = TierExpectation(tiers.wanted_tiers)
        self._epoch_first = first_frame
        self._store = FrameStore(tiers.base_tiers)
        self._head = Playhead(first_frame, store=self._store, stats=self.stats)
        self._end = EpochEnd()
        self._silence = SilentSpans()
        self._filing = PacketFiling(
            config,
            tiers,
            first_frame=first_frame,
            head=self._head,
            store=self._store,
            end=self._end,
            silence=self._silence,
            stats=self.stats,
        )

    # -- what is known now

    @property
    def due_frames(self) -> int:
        """Frames from the anchor up to the play position."""
        return self._head.due_frames

    @property
    def stored_frames(self) -> int:
        """Frames held that were not given out yet."""
        return len(self._store)

    @property
    def next_frame(self) -> int:
        """The play position: index of the next frame to give out."""
        return self._head.next_frame

    @property
    def anchored(self) -> bool:
        """Whether a first frame is known."""
        return self._head.phase is not Phase.EMPTY

    @property
    def ended(self) -> bool:
        """Whether the last frame of the epoch was given out."""
        return self._head.phase is Phase.ENDED

    @property
    def starved(self) -> bool:
        """Whether nothing is due because nothing came for long."""
        return self._head.phase is Phase.STARVED

    @property
    def start_at(self) -> float:
        """When its first frame is due; meaningful once anchored and until it plays."""
        return self._head.start_at

    @property
    def overfull(self) -> bool:
        """Whether so much is held that the next frame due is that of the live edge."""
        return len(self._store) > self.config.capacity_frames

    def starts_by(self, now: float) -> bool:
        """Whether its first frame is due by `now`."""
        return self._head.starts_by(now)

    def take_arrivals(self) -> list[tuple[int, float]]:
        """Of the packets that came while it played, since the last call: how many frames their first one was away from
        the play position (negative: late), and when they came. Of a frame's first layers, without duplicates."""
        return self._head.take_arrivals()

    @property
    def retimed(self) -> int:
        """How often the time at which it plays was set anew."""
        return self._head.retimed

    # -- arrivals

    def expect(self, first_frame: int) -> None:
        """We are here from the start: that frame is due, even should its packet be the first one lost."""
        self._filing.expect(first_frame)

    def insert(self, packet: TokenPacket, received_at: float, *, tier: int = 0) -> InsertResult:
        """File a packet that came at `received_at` seconds on the caller's clock. Never raises on what came."""
        return self._filing.insert(packet, received_at, tier=tier)

    def take_withdrawn(self) -> int:
        """How many frames were given out as Silent and came after all, since the last call: they are due again."""
        withdrawn, self._filing.withdrawn = self._filing.withdrawn, 0
        return withdrawn

    def hear_heartbeat(self, received_at: float) -> None:
        """The sender says that it sends nothing, because nobody speaks."""
        self._silence.note_heartbeat(received_at)

    def forget_pause(self) -> None:
        """The sender is gone in a pause: what does not come from now on is lost."""
        self._silence.forget_open()

    def follow(self, tiers: Iterable[int]) -> None:
        """These tiers are subscribed to now; `thinned_frames` and `pull_ahead` go by it. What is here is played."""
        grace = self.config.frames(FOLLOW_S) + self.config.frames_per_packet
        self._expected.follow(tiers, from_frame=self._newest_known + grace)

    # -- the end

    def end(self, last_frame: int) -> int:
        """The epoch ends with `last_frame` (extended index). Returns how many frames were given out as lost beyond it.

        Those never existed: they are taken out of `due_frames`, and the caller takes them out of its own counts. An end
        that lies before frames that really came is not believed; 0 is returned and nothing changes.
        """
        overshoot = max(0, self.next_frame - last_frame - 1) if self.anchored else 0
        heard = self._head.phase in (Phase.PLAYING, Phase.STARVED)
        if not self._head.losses.covers(overshoot, heard=heard) or self.ended:
            return 0
        lost = self._head.take_back(overshoot)
        self._end.last_frame = last_frame
        self._store.drop_after(last_frame)
        if last_frame < self._epoch_first or (self.anchored and self.next_frame > last_frame) or self.starved:
            self._finish_at(last_frame)
        return lost

    def close(self) -> None:
        """The sender is gone without a last word: play what is here and what still comes, then end."""
        self._end.sender_gone = True
        if self.starved:
            self._finish_at(self.next_frame - 1)

    def abandon(self) -> None:
        """Give up what was not given out yet: a newer epoch takes over. Counted as skipped."""
        if not self.ended:
            self._finish_at(self._newest_known if self._end.last_frame is None else self._end.last_frame)

    def _finish_at(self, last_frame: int) -> None:
        if self.anchored and last_frame >= self.next_frame:
            self._head.skip_to(last_frame + 1)
        self._store.drop_waiting()
        self._head.phase = Phase.ENDED

    @property
    def _newest_known(self) -> int:
        """The newest frame that came, or that was given out at least."""
        newest = self._store.newest
        return self.next_frame - 1 if newest is None else newest

    # -- play-out

    def pull(self, now: float) -> Ready | Lost | Silent | Wait:
        """The next frame due at `now` (seconds, the clock of `received_at`), its loss, or how long nothing is due."""
        head = self._head
        if head.phase is Phase.BUFFERING:
            if now < head.start_at:
                return Wait(head.start_at)
            head.phase = Phase.PLAYING
            if self.due_frames and now - head.start_at >= CATCH_UP_S:
                self.pass_over(now - head.start_at)
        if not self.anchored and self._end.is_told:
            until = self._end.await_first_frame(now, playout_delay_s=self.config.playout_delay_s)
            if until is None:
                head.phase = Phase.ENDED
            return Wait(until)
        if head.phase is not Phase.PLAYING:
            return Wait(None)
        if self._end.is_reached(head.next_frame, empty=not self._store):
            self._finish_at(head.next_frame - 1)
            return Wait(None)
        if self.overfull:
            self._skip_to_live_edge()
        elif self._is_starving():
            head.phase = Phase.STARVED
            self.stats.starvations += 1
            return Wait(None)
        return self._take(now)

    def _is_starving(self) -> bool:
        lost = self._head.losses.missing >= self.config.frames(self.config.starve_s)
        return lost and not self._store and self._end.last_frame is None

    def pass_over(self, seconds: float) -> None:
        """While playing, so much time went by in which nobody pulled: what was due in it is skipped, here or not.

        The process was stopped, say. Going on where it stood would play all that follows so much too late.
        """
        head = self._head
        if head.phase is not Phase.PLAYING:
            return
        known = self._newest_known
        passed = int(seconds / self.config.frame_duration_s + 1e-6)
        target = self._end.cut(head.next_frame + passed, newest=known)
        if target <= head.next_frame:
            return
        if known >= head.next_frame:
            head.losses.forget()
        head.losses.pass_over(max(0, target - 1 - known))
        head.retime()
        head.skip_to(target)
        head.fresh = True

    def pull_ahead(self, count: int) -> list[Ready]:
        """The next `count` frames before they are due, if all of them are here with every tier that is to come, and
        follow the one before; else none. Whoever decodes several at once takes them so: no frame is called lost, or
        played without a tier, before its time."""
        if self.count_ahead(count) < count:
            return []
        return [item for item in (self._take(0.0) for _ in range(count)) if isinstance(item, Ready)]

    def count_ahead(self, most: int) -> int:
        """How many frames `pull_ahead` would give, up to `most`."""
        head = self._head
        if head.phase is not Phase.PLAYING or head.fresh or head.losses.lost or self.overfull:
            return 0
        here = itertools.takewhile(
            lambda frame: self._store.has(frame, self._expected.tiers_of(frame)), itertools.count(head.next_frame)
        )
        return sum(1 for _ in itertools.islice(here, most))

    def _skip_to_live_edge(self) -> None:
        head = self._head
        head.retime()
        edge = self._store.start_of_newest(self.config.target_frames)
        if head.due_frames == 0:
            head.begin_run_at(edge)  # nothing was due yet: simply start later
            self._store.drop_before(edge)
        else:
            head.skip_to(edge)
        head.fresh = True

    def _take(self, now: float) -> Ready | Lost | Silent:
        head = self._head
        frame = head.advance()
        columns = self._store.take(frame)
        if not columns:
            head.losses.lost += 1
            span = self._silence.find(frame, now)
            return Lost(frame) if span is None else self._pass_silence(frame, span)
        self._store.remember(frame, columns)
        self.stats.thinned_frames += not self._expected.tiers_of(frame) <= columns.keys()
        fresh = head.fresh or head.losses.missing >= self.config.frames(self.config.relock_s)
        head.fresh = False
        head.losses.forget()
        return Ready(frame, self._tiers.join(columns), fresh)

    def _pass_silence(self, frame: int, span: SilentSpan) -> Silent:
        head = self._head
        head.losses.silent += 1
        self.stats.silent_frames += 1
        fresh, head.fresh = head.fresh, False
        return Silent(frame, span.first, span.background, fresh)
