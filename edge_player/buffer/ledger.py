"""What became of every frame that was due. The identity `due = played + concealed + skipped + comfort` lives here."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class FrameLedger:
    """One epoch's frames, each counted once.

    played: decoded from what came. concealed: lost, and something was made up for it. comfort: silence stood in for it,
    because it was lost or because it only brought the decoder into the stream, or the sound of the room, because nobody
    speaks in it and it was never sent. skipped: jumped over, nothing stood in
    for it. due: from the first frame due to the last, by frame index. `due` and `skipped` come from the jitter buffer,
    the other three from play-out.
    """

    epoch: int
    due: int = 0
    played: int = 0
    concealed: int = 0
    skipped: int = 0
    comfort: int = 0
    _concealed_run: int = field(default=0, repr=False)
    _comfort_run: int = field(default=0, repr=False)

    @property
    def balanced(self) -> bool:
        """Whether every frame due is accounted for."""
        return self.due == self.played + self.concealed + self.skipped + self.comfort

    def count_played(self) -> None:
        """A frame that came was played."""
        self.played += 1
        self._concealed_run = self._comfort_run = 0

    def count_unheard(self) -> None:
        """A frame that came brought the decoder into the stream; silence was played."""
        self.comfort += 1
        self._concealed_run = self._comfort_run = 0

    def count_silent(self) -> None:
        """A frame was never sent, since nobody speaks in it; what stands in for it is the room, or silence."""
        self.comfort += 1
        self._comfort_run += 1

    def count_lost(self, *, audible: bool) -> None:
        """A frame was lost; `audible` when sound was made up for it."""
        if audible:
            self.concealed += 1
            self._concealed_run += 1
        else:
            self.comfort += 1
            self._comfort_run += 1

    def forget_lost(self, frames: int) -> None:
        """The last `frames` losses lay beyond the end of the epoch: they never were frames. ValueError for more."""
        if not 0 <= frames <= self._concealed_run + self._comfort_run:
            raise ValueError(f"{frames} losses to forget, {self._concealed_run + self._comfort_run} in the last run")
        silent = min(frames, self._comfort_run)
        self.comfort -= silent
        self._comfort_run -= silent
        self.concealed -= frames - silent
        self._concealed_run -= frames - silent
