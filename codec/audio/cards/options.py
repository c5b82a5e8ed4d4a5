"""How to open a sound card."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CardOptions:
    """device: index or name, whole or in part; None: the default one. sample_rate: Hz; None: the card's own.

    channels: those to use, counted from 1, in the order wanted; None: the first two, or the only one.
    exclusive: the card for us alone, with no mixer in between.
    """

    device: str | None = None
    sample_rate: int | None = None
    channels: tuple[int, ...] | None = None
    exclusive: bool = False

    def __post_init__(self) -> None:
        if self.sample_rate is not None and self.sample_rate < 1:
            raise ValueError(f"sample_rate is {self.sample_rate} Hz, expected more than 0")
        if self.channels is not None and (not self.channels or min(self.channels) < 1):
            raise ValueError(f"channels are {self.channels}, expected numbers from 1")
