"""Where play-out stands in an epoch: the frame whose turn is next, since when, and the account of what was due."""

from __future__ import annotations

import enum
from collections import deque

from edge_player.buffer.frame_store import FrameStore
from edge_player.buffer.jitter_values import JitterStats
from edge_player.buffer.loss_run import LossRun

KEPT_ARRIVALS = 64
"""Arrivals that nobody took notice of yet."""


class Phase(enum.Enum):
    """What play-out does now."""

    EMPTY = enum.auto()
    """No frame yet: no anchor."""
    BUFFERING = enum.auto()
    """The next frame sounds at `start_at`."""
    PLAYING = enum.auto()
    """Each pull takes one frame slot."""
    STARVED = enum.auto()
    """Nothing came for long: nothing is due until something comes."""
    ENDED = enum.auto()
    """The last frame of the epoch was given out."""


class Playhead:
    """The play position and its account: `due_frames = given out + skipped_frames`, whatever moves it.

    What it skips leaves `store`; that and its pauses are counted in `stats`. Times are seconds on the caller's clock.
    """

    def __init__(self, first_frame: int, *, store: FrameStore, stats: JitterStats) -> None:
        self.phase = Phase.EMPTY
        self.next_frame = first_frame
        """Index of the next frame to give out."""
        self.start_at = 0.0
        """When that one is due; meaningful while buffering."""
        self.fresh = True
        """Whether what the decoder remembers does not belong before the next frame."""
        self.losses = LossRun()
        self.retimed = 0
        """How often the time at which it plays was set anew."""
        self._store, self._stats = store, stats
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=KEPT_ARRIVALS)
        self._run_first = first_frame  # where the present run of due frames began
        self._closed_due = 0  # due frames of earlier runs

    @property
    def due_frames(self) -> int:
        """Frames from the anchor up to the play position."""
        return self._closed_due + self.next_frame - self._run_first

    def starts_by(self, now: float) -> bool:
        """Whether the next frame is due by `now`."""
        return self.phase is Phase.PLAYING or (self.phase is Phase.BUFFERING and self.start_at <= now)

    def note_arrival(self, frames_away: int, received_at: float) -> None:
        """A packet came whose first frame was so far from its turn."""
        self._arrivals.append((frames_away, received_at))

    def take_arrivals(self) -> list[tuple[int, float]]:
        """The arrivals since the last call, as far as they are measured against the time at which it plays now."""
        taken = list(self._arrivals)
        self._arrivals.clear()
        return taken

    def retime(self) -> None:
        """The time at which it plays is set anew: what came before says nothing of it."""
        self.retimed += 1
        self._arrivals.clear()

    def rebuffer(self, start_at: float) -> None:
        """Stop, and go on at `start_at`. Counted as one of `rebuffers` where anything was heard before."""
        self._stats.rebuffers += self.phase in (Phase.PLAYING, Phase.STARVED)
        self.retime()
        self.buffer_until(start_at)

    def buffer_until(self, start_at: float) -> None:
        """The next frame sounds at `start_at`, and what the decoder remembers is of another time."""
        self.phase = Phase.BUFFERING
        self.start_at = start_at
        self.fresh = True
        self.losses.forget()

    def begin_run_at(self, frame: int) -> None:
        """Go on at another frame; nothing that lies between ever was due."""
        self._closed_due = self.due_frames
        self.next_frame = self._run_first = frame

    def skip_to(self, frame: int) -> None:
        """Go on at a later frame; what lies between was due, and is skipped."""
        self._stats.skipped_frames += frame - self.next_frame
        self.next_frame = frame
        self._store.drop_before(frame)

    def advance(self) -> int:
        """Give out the frame that is next: its index."""
        self.next_frame += 1
        return self.next_frame - 1

    def take_back(self, frames: int) -> int:
        """The last so many frames never existed: how many of them were given out as lost."""
        self.next_frame -= frames
        lost, passed = self.losses.take_back(frames)
        self._stats.skipped_frames -= passed
        return lost
