"""How full the ring of a player has to be: at which levels frames are due, and may be decoded early."""

from __future__ import annotations

from edge_player.render.step_size import StepSize


class RingLevels:
    """Two levels, in seconds of sound. At the lower one a frame is due: what is left lasts while it is decoded. Up to
    the upper one, frames that are here already may be decoded, several at once.

    The lower one stays; the upper one rises with the steps of a decoder that is too slow.
    """

    def __init__(
        self, steps: StepSize, *, lead_s: float, single_s: float, given_s: float, frame_duration_s: float
    ) -> None:
        """lead_s: what the sink wants in the ring at least. single_s, given_s: what a step of one frame takes, and one
        of as many as `steps` has now."""
        self.lower_s = lead_s + single_s
        self._steps = steps
        self._lead_s, self._single_s, self._given_s = lead_s, single_s, given_s
        self._frame_duration_s = frame_duration_s

    @property
    def upper_s(self) -> float:
        """The upper level now."""
        return self._lead_s + self.longest_step_s

    @property
    def longest_step_s(self) -> float:
        """What the slowest step takes that there may be now."""
        return max(self._single_s, self._several_s)

    def bears_several(self, waiting_s: float) -> bool:
        """Whether so much sound in the ring lasts while several frames are decoded."""
        return waiting_s >= self._several_s

    @property
    def _several_s(self) -> float:
        """What a step of several frames takes: as measured when loaded, or, of a longer one, as the last ones took."""
        if not self._steps.lengthened:
            return self._given_s
        return self._steps.frames * min(1.0, self._steps.load) * self._frame_duration_s
