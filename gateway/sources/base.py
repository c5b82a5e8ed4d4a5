"""What every source of audio looks like to the encoder worker."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["AudioBlock", "AudioSource"]


@dataclass(frozen=True, slots=True, eq=False)
class AudioBlock:
    """A run of samples as the source handed it over; any length, down to none.

    samples: float32 `[samples]`, mono, at the codec's sample rate.
    captured_at: when the first of them was recorded, in seconds of the pipeline's monotonic clock; None where the
        samples have no time of their own (a file): then the pacer gives them one.
    lost_samples: how many samples, at the codec's rate, the source dropped right before this block.
    clipped_samples: how many stood at full scale before the source mixed and resampled; None where it did not look.
    """

    samples: NDArray[np.float32]
    captured_at: float | None = None
    lost_samples: int = 0
    clipped_samples: int | None = None


class AudioSource(Protocol):
    """Audio to send. A context manager, not reusable: entering it opens the file or the device.

    Entering raises SourceError, the codec's AudioFileError or SoundCardError, so a wrong path is known before
    anything is announced. `blocks` runs on the encoder worker's thread.
    """

    @property
    def live(self) -> bool:
        """True where the source itself sets the pace (a microphone); False where the pacer must."""

    @property
    def description(self) -> str:
        """For people: `file talk.flac`, `microphone USB Audio`."""

    @property
    def overflows(self) -> int:
        """Times that audio was dropped because nobody took it in time."""

    @property
    def counters(self) -> Mapping[str, int]:
        """What else it counted, by name, for the statistics."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def blocks(self, stop: threading.Event) -> Iterator[AudioBlock]:
        """Yield blocks until the source ends or `stop` is set; looks at `stop` at least every 0.2 s."""
