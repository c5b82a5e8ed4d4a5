"""Fakes for the gateway: a clock that moves when waited on, an encoder that counts, a connection that remembers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from codec import CodecSpec
from gateway.sources import AudioBlock


class FakeClock:
    """Seconds that pass only when somebody waits."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.stop = threading.Event()
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        """Stand-in for Event.wait: returns at once, `seconds` later; True where `stop` is set."""
        self.waits.append(seconds)
        if self.stop.is_set():
            return True
        self.now += seconds
        return False


class CountingSession:
    """Codes tell which frame they are: layer k of frame n is (n + k) modulo the codebook size."""

    def __init__(self, encoder: CountingEncoder) -> None:
        self._encoder = encoder
        self._frame = 0
        self.nonfinite_samples = encoder.replaces

    def encode(self, pcm: NDArray[np.float32], active: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        spec = self._encoder.spec
        assert pcm.dtype == np.float32
        assert pcm.shape == (1, spec.frame_size)
        self._encoder.frames.append(pcm[0])
        self._encoder.threads.add(threading.get_ident())
        if self._encoder.on_encode is not None:
            self._encoder.on_encode()
        codes = (np.arange(spec.num_layers) + self._frame) % spec.codebook_size
        self._frame += 1
        return codes.reshape(1, spec.num_layers, 1)

    def reset(self, mask: NDArray[np.bool_] | None = None) -> None:
        self._frame = 0
        self._encoder.frames.clear()
        self._encoder.resets += 1


class CountingEncoder:
    """An encoder whose work can be seen."""

    def __init__(self, spec: CodecSpec) -> None:
        self.spec = spec
        self.replaces = 0
        self.frames: list[NDArray[np.float32]] = []
        self.threads: set[int] = set()
        self.resets = 0
        self.open_sessions = 0
        self.on_encode: Callable[[], None] | None = None

    @contextmanager
    def session(self, batch_size: int = 1) -> Iterator[CountingSession]:
        self.open_sessions += 1
        try:
            yield CountingSession(self)
        finally:
            self.open_sessions -= 1


class ScriptedSource:
    """Hands over the blocks it was given; an exception in the list is raised."""

    def __init__(self, blocks: list[AudioBlock | Exception], *, live: bool = False) -> None:
        self._blocks = blocks
        self.live = live
        self.overflows = 0
        self.counters: dict[str, int] = {}
        self.description = "scripted source"
        self.entered = 0
        self.left = 0

    def __enter__(self) -> Self:
        self.entered += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.left += 1

    def blocks(self, stop: threading.Event) -> Iterator[AudioBlock]:
        for block in self._blocks:
            if stop.is_set():
                return
            if isinstance(block, Exception):
                raise block
            yield block


@dataclass(frozen=True, slots=True)
class Said:
    """One message as it was handed to the connection."""

    topic: str
    payload: bytes
    options: dict[str, Any]


@dataclass
class FakeConnection:
    """Remembers what was published."""

    said: list[Said] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, **options: Any) -> None:
        self.said.append(Said(topic, payload, options))

    def on(self, ending: str) -> list[Said]:
        """What went to topics that end so."""
        return [message for message in self.said if message.topic.endswith(ending)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def spec() -> CodecSpec:
    """A codec of 80 ms frames, small enough to read."""
    return CodecSpec(
        name="toy",
        sample_rate=16000,
        frame_size=1280,
        num_layers=4,
        codebook_size=64,
        delay_samples=0,
        weights_sha256="ab" * 32,
    )


@pytest.fixture
def encoder(spec: CodecSpec) -> CountingEncoder:
    return CountingEncoder(spec)


@pytest.fixture
def make_source() -> type[ScriptedSource]:
    return ScriptedSource


@pytest.fixture
def connection() -> FakeConnection:
    return FakeConnection()


@pytest.fixture
def wav(tmp_path: Path) -> Callable[..., Path]:
    """Writes a sine: `wav(name, seconds, rate)`."""

    def write(name: str = "tone.wav", seconds: float = 1.0, rate: int = 16000) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        times = np.arange(int(seconds * rate)) / rate
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * 440 * times), rate, subtype="PCM_16")
        return path

    return write
