"""In which order packets of the base tier come: what was overtaken, and where holes are on arrival."""

from __future__ import annotations

from edge_player.buffer.jitter_values import JitterStats


class ArrivalOrder:
    """Counts `reordered`, `gaps` and `gap_frames` of the stats it is given."""

    def __init__(self, stats: JitterStats) -> None:
        self._stats = stats
        self._newest_end: int | None = None  # the index after the newest frame that came

    def note(self, index: int, count: int) -> None:
        """A packet came that brought something new: the extended index of its first frame, and how many it has."""
        newest_end = self._newest_end
        if newest_end is None:
            self._newest_end = index + count
            return
        if index < newest_end:
            self._stats.reordered += index + count <= newest_end
        elif index > newest_end:
            self._stats.gaps += 1
            self._stats.gap_frames += index - newest_end
        self._newest_end = max(newest_end, index + count)

    def go_on_at(self, index: int) -> None:
        """What lies before that frame and did not come was never sent: no hole."""
        if self._newest_end is not None:
            self._newest_end = max(self._newest_end, index)

    def forget(self) -> None:
        """The stream jumped: what came before says nothing of what follows."""
        self._newest_end = None
