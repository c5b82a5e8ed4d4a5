"""One sound card, as PortAudio describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class SoundCard:
    """One direction of a PortAudio device.

    index: PortAudio's number, good until the cards are listed anew. channels: the most it offers. sample_rate: the one
    it prefers, Hz. sample_rates: those of PROBED_RATES that it takes, in Hz; empty where nobody asked.
    """

    index: int
    name: str
    host_api: str
    direction: Direction
    channels: int
    sample_rate: int
    sample_rates: tuple[int, ...]
    is_default: bool

    @property
    def label(self) -> str:
        """For lists in a sentence: number and name."""
        return f"{self.index}: {self.name}"

    @property
    def is_hardware(self) -> bool:
        """Whether it is the card itself and not a server or a mixer in front of it; only ALSA tells them apart."""
        return self.host_api == "ALSA" and "(hw:" in self.name
