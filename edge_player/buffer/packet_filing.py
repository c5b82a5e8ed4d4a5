"""What becomes of a packet that comes: its place in the epoch, and whether play-out has to move for it."""

from __future__ import annotations

from collections import deque

from edge_player.buffer.arrival_order import ArrivalOrder
from edge_player.buffer.epoch_end import EpochEnd
from edge_player.buffer.far_packets import FarPackets, PlacedPacket
from edge_player.buffer.frame_store import FrameStore
from edge_player.buffer.jitter_values import InsertResult, JitterConfig, JitterStats
from edge_player.buffer.lateness import Lateness
from edge_player.buffer.playhead import Phase, Playhead
from edge_player.buffer.silent_spans import SilentSpans
from edge_player.intake.tiers import TierMap
from protocol.packet import TokenPacket
from protocol.sequence import extend_serial

EARLY_PACKETS = 16
"""Packets of upper tiers kept that came before the first of the base; the oldest give way."""


class PacketFiling:
    """Files packets into `store`, and moves `head` where they say that the sound has to begin elsewhere or later.

    The base tier alone moves it: what an upper tier brings is there in time, or its frames are played without.
    Counts in `stats`. Nothing here loops over, or allocates for, an index that came from outside.
    """

    def __init__(
        self,
        config: JitterConfig,
        tiers: TierMap,
        *,
        first_frame: int,
        head: Playhead,
        store: FrameStore,
        end: EpochEnd,
        silence: SilentSpans,
        stats: JitterStats,
    ) -> None:
        self._silence = silence
        self.withdrawn = 0
        """Frames that were given out as silent and came after all, since the buffer was last asked."""
        self._config, self._stats = config, stats
        self._head, self._store, self._end = head, store, end
        self._num_tiers, self._base_tiers = len(tiers), tiers.base_tiers
        self._epoch_first = first_frame
        self._expected_first: int | None = None
        self._far = FarPackets(config.max_gap_frames)
        self._order = ArrivalOrder(stats)
        self._lateness = Lateness()
        self._early: deque[PlacedPacket] = deque(maxlen=EARLY_PACKETS)
        self._base_accepted = 0

    def expect(self, first_frame: int) -> None:
        """We are here from the start: that frame is due, even should its packet be the first one lost."""
        if self._head.phase is Phase.EMPTY and first_frame >= self._epoch_first:
            self._expected_first = first_frame

    def insert(self, packet: TokenPacket, received_at: float, *, tier: int) -> InsertResult:
        """File a packet that came at `received_at` seconds on the caller's clock. Never raises on what came."""
        if not 0 <= tier < self._num_tiers:
            self._stats.refused += 1
            return InsertResult.REFUSED
        index = extend_serial(packet.first_frame, self._head.next_frame)
        if index < self._epoch_first or self._head.phase is Phase.ENDED or self._end.lies_before(index):
            self._stats.refused += 1
            return InsertResult.REFUSED
        arrived = PlacedPacket(packet, index, tier, received_at)
        if tier not in self._base_tiers:
            return self._insert_upper(arrived)
        if self._head.phase is Phase.EMPTY:
            self._anchor(index, received_at)
            self._file_early()
        elif abs(index - self._head.next_frame) > self._config.max_gap_frames:
            return self._insert_far(arrived)
        return self._insert_near(arrived)

    def _anchor(self, index: int, received_at: float) -> None:
        first = self._expected_first
        if first is None or not 0 < index - first <= self._config.max_gap_frames:
            first = index
        start_at = received_at + self._config.playout_delay_s - (index - first) * self._config.frame_duration_s
        self._head.begin_run_at(first)
        self._head.buffer_until(max(received_at, start_at))

    def _insert_upper(self, arrived: PlacedPacket) -> InsertResult:
        if self._head.phase is Phase.EMPTY:
            self._early.append(arrived)
            self._stats.held += 1
            return InsertResult.HELD
        if abs(arrived.index - self._head.next_frame) > self._config.max_gap_frames:
            self._stats.refused += 1
            return InsertResult.REFUSED
        stored, late, known = self._store_frames(arrived)
        if stored:
            self._stats.accepted += 1
            self._stats.overlaps += bool(known)
            return InsertResult.ACCEPTED
        if known > late:
            self._stats.duplicates += 1
            return InsertResult.DUPLICATE
        self._stats.tier_late += 1
        return InsertResult.LATE

    def _file_early(self) -> None:
        while self._early:
            self._insert_upper(self._early.popleft())

    def _insert_near(self, arrived: PlacedPacket) -> InsertResult:
        index, received_at = arrived.index, arrived.received_at
        count = arrived.packet.codes.shape[1]
        begins_speech = self._begins_speech(arrived)
        if begins_speech:
            self._begin_speech(index, received_at)
        away = index - self._head.next_frame
        self._adjust_start(index, count, received_at)
        stored, late, known = self._store_frames(arrived)
        self._note_silence(arrived)
        # The first packet after a pause may be sent late on purpose, with what came shortly before the voice.
        if (stored or late) and self._head.phase is Phase.PLAYING and not begins_speech:
            self._head.note_arrival(away, received_at)
        if stored:
            self._far.forget()
            self._stats.accepted += 1
            self._base_accepted += 1
            self._lateness.note_in_time()
            self._stats.overlaps += bool(known)
            self._order.note(index, count)
            return InsertResult.ACCEPTED
        if known > late:
            self._stats.duplicates += 1
            return InsertResult.DUPLICATE
        self._stats.late += 1
        if self._head.phase is Phase.PLAYING and self._lateness.note_late(received_at):
            # Not all of it is late, but some of it again and again: a pause once is better than a stutter for ever.
            self._stats.relocks += 1
            self._head.rebuffer(self._sounds_at(index, received_at))
        return InsertResult.LATE

    def _begins_speech(self, arrived: PlacedPacket) -> bool:
        """Whether this is the first packet after a pause."""
        paused_at = self._silence.open_since
        return paused_at is not None and arrived.index >= paused_at

    def _begin_speech(self, index: int, received_at: float) -> None:
        """Somebody speaks again. Should the time of the first frame have passed (two clocks drift, and in a pause
        nothing shows it; or the link was slow), then nothing was heard but the room: the pause is made longer."""
        head = self._head
        self._order.go_on_at(index)
        overshoot = head.next_frame - index
        if head.phase is not Phase.PLAYING or overshoot <= 0 or not head.losses.covers(overshoot, heard=True):
            return
        self.withdrawn += head.take_back(overshoot)
        fresh = head.fresh
        head.rebuffer(received_at + self._config.playout_delay_s)
        head.fresh = fresh  # the decoder was fed all the while

    def _note_silence(self, arrived: PlacedPacket) -> None:
        packet, index = arrived.packet, arrived.index
        count = packet.codes.shape[1]
        self._silence.note_packet(
            index,
            count,
            pause_after=packet.pause_after,
            received_at=arrived.received_at,
            next_after=self._store.first_from(index + count) if packet.pause_after else None,
        )

    def _store_frames(self, arrived: PlacedPacket) -> tuple[int, int, int]:
        """Of the packet's frames: how many were new, came too late, were here before."""
        stored = late = known = 0
        for offset, column in enumerate(arrived.packet.codes.T):
            frame = arrived.index + offset
            if frame < self._head.next_frame:
                if self._store.was_given_out(frame, arrived.tier):
                    known += 1
                else:
                    late += 1
            elif self._end.lies_before(frame):
                continue
            elif self._store.put(frame, arrived.tier, column):
                stored += 1
            else:
                known += 1
        return stored, late, known

    def _sounds_at(self, index: int, received_at: float) -> float:
        """When the next frame has to sound for frame `index`, which came just now, to sound one playout delay later."""
        behind = self._head.next_frame - index
        return received_at + self._config.playout_delay_s + behind * self._config.frame_duration_s

    def _adjust_start(self, index: int, count: int, received_at: float) -> None:
        """Move the time at which play-out starts, while it has not started or has broken down."""
        head = self._head
        start_at = self._sounds_at(index, received_at)
        if head.phase is Phase.BUFFERING:
            if index < head.next_frame and head.due_frames == 0:
                # An earlier frame overtaken by the anchor: nothing was given out yet, so the anchor moves back.
                earlier_s = (head.next_frame - index) * self._config.frame_duration_s
                head.start_at = max(received_at, head.start_at - earlier_s)
                head.begin_run_at(index)
            else:
                head.start_at = min(head.start_at, start_at)
        elif head.phase is Phase.STARVED and index >= head.next_frame:
            head.skip_to(index)
            head.rebuffer(received_at + self._config.playout_delay_s)
        elif index + count <= head.next_frame and self._relockable():
            # All that comes is late: the link has become slower. Later is better than never.
            self._stats.relocks += 1
            head.rebuffer(start_at)

    def _relockable(self) -> bool:
        head = self._head
        return head.phase is Phase.STARVED or (
            head.phase is Phase.PLAYING
            and not self._store
            and head.losses.missing >= self._config.frames(self._config.relock_s)
        )

    def _insert_far(self, packet: PlacedPacket) -> InsertResult:
        agreed = self._far.note(packet)
        backward = packet.index < self._head.next_frame
        if backward and agreed is None:
            # Late beyond memory. Only when nothing plays any more can it be the sender who went back.
            self._stats.late += 1
            return InsertResult.LATE
        if agreed is None or (backward and not (self._relockable() or self._anchor_is_alone)):
            self._stats.held += 1
            return InsertResult.HELD
        self._far.forget()
        self._jump(agreed)
        self._insert_near(agreed)
        self._insert_near(packet)
        return InsertResult.RESYNCED

    def _jump(self, target: PlacedPacket) -> None:
        self._stats.resyncs += 1
        self._order.forget()
        if target.index >= self._head.next_frame and not self._anchor_is_alone:
            self._head.skip_to(target.index)
        else:  # back, or two against one: nothing that lies between a lone anchor and these two ever was due
            self._store.clear()
            self._head.begin_run_at(target.index)
        self._head.rebuffer(target.received_at + self._config.playout_delay_s)

    @property
    def _anchor_is_alone(self) -> bool:
        """Whether one packet only says where the stream stands, and no frame was due yet."""
        return self._head.phase is Phase.BUFFERING and self._base_accepted <= 1 and self._head.due_frames == 0
