"""The playout delay while it plays: later when packets come too late, earlier when they have not for long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_player.buffer.arrivals import Arrival, ArrivalMargins
from edge_player.buffer.timeline import EpochTrack
from edge_player.render.stretch import lengthen, shorten

REST_FRAMES = 1
"""Frames left as they are after one that was changed: a voice is slowed down or sped up by a tenth at the most."""
LIMIT_SHARE = 0.5
"""Of the slack: so much the delay may grow. The rest is for packets that come at once, before the player skips."""


@dataclass(slots=True)
class AdaptationStats:
    """periods_inserted, periods_removed: frames that were made longer, and shorter, by a period or some silence."""

    periods_inserted: int = 0
    periods_removed: int = 0


class Adaptation:
    """Watches the margins of each epoch and changes frames on their way to the ring. Owned by Playout."""

    def __init__(self, *, sample_rate: int, lead_s: float) -> None:
        """`sample_rate` of the frames, Hz. `lead_s`: so early the ring takes its frames; no packet has that time."""
        self.stats = AdaptationStats()
        self._sample_rate, self._lead_s = sample_rate, lead_s
        self._margins: ArrivalMargins | None = None
        self._epoch: int | None = None
        self._retimed = 0
        self._rest = 0

    @property
    def target_s(self) -> float:
        """The playout delay that is wanted, from a packet's arrival to its sound; 0 before a stream plays."""
        return self._margins.target_s + self._lead_s if self._margins is not None else 0.0

    @property
    def jitter_s(self) -> float:
        """Between the least and the most delayed packet of the last seconds."""
        return self._margins.jitter_s if self._margins is not None else 0.0

    def listen(self, track: EpochTrack, *, until_next_s: float, now: float) -> None:
        """Take notice of what came for `track` since the last call; its next frame is due in `until_next_s`."""
        jitter, buffer = track.plan.jitter, track.buffer
        if self._margins is None or self._epoch != track.plan.epoch:
            delay_s = max(0.0, jitter.playout_delay_s - self._lead_s)
            self._margins = ArrivalMargins(delay_s=delay_s, limit_s=LIMIT_SHARE * jitter.slack_s)
            self._epoch, self._retimed = track.plan.epoch, buffer.retimed
        elif self._retimed != buffer.retimed:
            self._retimed = buffer.retimed
            self._margins.reset()
        for frames_away, received_at in buffer.take_arrivals():
            margin_s = frames_away * jitter.frame_duration_s + until_next_s + (now - received_at)
            self._margins.note(Arrival(received_at, margin_s))

    def change(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """A frame on its way to the ring [T], longer or shorter by a period where that is wanted and it has one."""
        if self._rest:
            self._rest -= 1
            return samples
        wanted_s = self._margins.wanted_change() if self._margins is not None else 0.0
        if not wanted_s:
            return samples
        changed = (lengthen if wanted_s > 0.0 else shorten)(samples, self._sample_rate)
        if changed is None or self._margins is None:
            return samples
        self._margins.shift((len(changed) - len(samples)) / self._sample_rate)
        self._rest = REST_FRAMES
        if len(changed) > len(samples):
            self.stats.periods_inserted += 1
        else:
            self.stats.periods_removed += 1
        return changed
