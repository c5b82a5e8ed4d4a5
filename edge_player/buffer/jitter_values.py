"""What goes into a jitter buffer and what comes out: its settings, results and counters."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_GAP_FRAMES = 50
"""4 s at 12.5 Hz: a packet farther from the play position is believed only when a second one agrees."""


class InsertResult(enum.Enum):
    """What became of a packet."""

    ACCEPTED = "accepted"
    """At least one of its frames was new and in time."""
    DUPLICATE = "duplicate"
    """Every frame of it was here before."""
    LATE = "late"
    """Its frames' time had passed."""
    HELD = "held"
    """Far from the play position: kept until a second packet agrees with it. Of an upper tier, ahead of all of its
    stream's base: kept until that says where play-out begins."""
    RESYNCED = "resynced"
    """It confirmed a held one: the play position jumped there."""
    REFUSED = "refused"
    """No frame of this epoch can have that index, or no tier of this stream that number; or it is an upper tier's, far
    from the play position."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Frame `frame_index` is due and here: `codes` [num_layers] int64, a prefix of layers, -1 after it.

    `fresh` is true where what the decoder remembers does not belong before this frame (first frame, long gap, jump).
    """

    frame_index: int
    codes: NDArray[np.int64]
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """Frame `frame_index` is due and not here; it will not be asked for again."""

    frame_index: int


@dataclass(frozen=True, slots=True)
class Silent:
    """Frame `frame_index` is due and was never sent: nobody speaks in it. The pause began with `pause_first`, and the
    last `background` frames before that hold the room alone. `fresh` as in Ready.
    """

    frame_index: int
    pause_first: int
    background: int = 0
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due: until that time (seconds, the caller's clock), or, if None, until something is inserted."""

    until: float | None = None


@dataclass(frozen=True, slots=True)
class JitterConfig:
    """How long to wait and when to give up. Durations in seconds, lengths in frames.

    `playout_delay_s`: from a packet's arrival to the sound of its first frame, for the least delayed packets.
    `slack_s`: how much more may be stored before the player skips to the live edge. `relock_s`: after this long without
    a single frame in time, late packets move the play-out time back instead of being dropped for ever. `starve_s`:
    after this long without any packet nothing is due any more, until one comes.
    """

    frame_duration_s: float
    playout_delay_s: float
    frames_per_packet: int = 1
    slack_s: float = 1.0
    relock_s: float = 1.0
    starve_s: float = 4.0

    def __post_init__(self) -> None:
        if not (self.frame_duration_s > 0 and self.playout_delay_s >= 0 and self.frames_per_packet >= 1):
            raise ValueError("A jitter buffer needs a frame duration above 0, a delay of 0 or more, 1 frame a packet")

    def frames(self, seconds: float) -> int:
        """Whole frames that cover so many seconds."""
        return math.ceil(seconds / self.frame_duration_s - 1e-9)

    @property
    def target_frames(self) -> int:
        """The most frames a healthy buffer holds: the delay and the packet that just came."""
        return self.frames(self.playout_delay_s) + self.frames_per_packet

    @property
    def capacity_frames(self) -> int:
        """Above so many stored frames the player skips to the live edge."""
        return self.target_frames + self.frames(self.slack_s)

    @property
    def max_gap_frames(self) -> int:
        """A packet farther away than this needs confirmation."""
        return max(MIN_GAP_FRAMES, 2 * self.capacity_frames)


@dataclass(slots=True)
class JitterStats:
    """Counters that only rise. Packets, except where the name says frames. Of late packets, order and holes those of
    the base tier alone are counted.

    tier_late: packets of upper tiers that came after their frames were played. thinned_frames: frames given out without
    a tier that should have come. overlaps: packets of which some frames were here before and some were new. gaps: holes
    seen on arrival (a reordered packet may fill one later). relocks: play-out moved later because all that came was
    late, or some of it again and again. resyncs: jumps. rebuffers: how often sound that played, or had starved, began
    anew a playout delay later. silent_frames: given out as Silent, those that were given out again as sound
    included.
    """

    accepted: int = 0
    duplicates: int = 0
    late: int = 0
    tier_late: int = 0
    reordered: int = 0
    overlaps: int = 0
    gaps: int = 0
    gap_frames: int = 0
    held: int = 0
    resyncs: int = 0
    relocks: int = 0
    rebuffers: int = 0
    refused: int = 0
    starvations: int = 0
    skipped_frames: int = 0
    silent_frames: int = 0
    thinned_frames: int = 0
