"""A sound card that is played by the tests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.audio.cards import CardOptions, OutputCallback, SoundCard
from codec.errors import SoundCardError


@dataclass
class FakeCardStream:
    """A card that asks when told so."""

    card: SoundCard
    sample_rate: int
    callback: OutputCallback
    channels: int = 2
    latency_s: float = 0.04
    active: bool = False
    started: int = 0
    closed: int = 0
    start_error: SoundCardError | None = None
    hangs: bool = False

    def start(self) -> None:
        self.started += 1
        if self.start_error is not None:
            raise self.start_error
        self.active = True

    def close(self) -> None:
        self.closed += 1
        self.active = False

    def ask(self, samples: int, *, underflowed: bool = False) -> NDArray[np.float32]:
        """One block."""
        if self.hangs:
            return np.zeros(samples, dtype=np.float32)
        out = np.full(samples, 9.0, dtype=np.float32)
        self.callback(out, underflowed)
        return out


@dataclass
class FakeCards:
    """What the machine has: one default card, at a rate, or an error in its place."""

    name: str = "USB Speaker"
    sample_rate: int = 48000
    error: SoundCardError | None = None
    start_error: SoundCardError | None = None
    hangs: bool = False
    refreshes: int = 0
    options: list[CardOptions] = field(default_factory=list)
    streams: list[FakeCardStream] = field(default_factory=list)

    def open(self, options: CardOptions, callback: OutputCallback, *, block_s: float) -> FakeCardStream:
        self.options.append(options)
        if self.error is not None:
            raise self.error
        card = SoundCard(1, self.name, "ALSA", "output", 2, self.sample_rate, (), is_default=True)
        stream = FakeCardStream(card, self.sample_rate, callback, start_error=self.start_error, hangs=self.hangs)
        self.streams.append(stream)
        return stream

    def refresh(self) -> None:
        assert not any(stream.active for stream in self.streams)
        self.refreshes += 1


@pytest.fixture
def cards() -> FakeCards:
    return FakeCards()


@pytest.fixture
def await_true() -> Callable[[Callable[[], bool]], None]:
    """Look again and again, for ten seconds at most."""

    def wait(condition: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(2000):
            if condition():
                return
            pause.wait(0.005)
        pytest.fail("it did not happen")

    return wait
