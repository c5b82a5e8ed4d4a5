"""What a conversion did, and who wants to know of it while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from codec.errors import CodecError
from codec.progress import Progress
from codec.spec import CodecSpec


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a conversion did.

    `rtf`: seconds of work per second of sound, files included. `chunks`: steps it took, each of at most 25 frames;
    memory is that of one. `replaced_samples`: those that were not finite (encoding), or were clipped (decoding).
    """

    frames: int
    num_samples: int
    seconds: float
    bytes_written: int
    elapsed_s: float
    rtf: float
    replaced_samples: int
    chunks: int

    @classmethod
    def of(
        cls,
        spec: CodecSpec,
        *,
        frames: int,
        num_samples: int,
        bytes_written: int,
        elapsed_s: float,
        replaced_samples: int,
        chunks: int,
    ) -> Self:
        """With what follows from the others worked out, and rounded for people."""
        seconds = num_samples / spec.sample_rate
        return cls(
            frames=frames,
            num_samples=num_samples,
            seconds=round(seconds, 3),
            bytes_written=bytes_written,
            elapsed_s=round(elapsed_s, 3),
            rtf=round(elapsed_s / seconds, 4) if seconds else 0.0,
            replaced_samples=replaced_samples,
            chunks=chunks,
        )


class Listener(Protocol):
    """Hears how conversions go."""

    def opened(self, duration_s: float | None) -> None:
        """One began, of a recording that says it has this length."""

    def progressed(self, seconds: float) -> None:
        """So much more sound went through."""

    def done(self, result: Conversion) -> None:
        """One came to its end."""

    def failed(self, source: str, error: CodecError) -> None:
        """One did not. May raise `error`, which ends them all."""


class Single:
    """A Listener of one conversion: its progress bar, and its result. Its failure is raised."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._progress: Progress | None = None
        self._done_s = 0.0
        self.result: Conversion | None = None

    def opened(self, duration_s: float | None) -> None:
        """See Listener."""
        self._progress = Progress(self._label, duration_s)

    def progressed(self, seconds: float) -> None:
        """See Listener."""
        self._done_s += seconds
        if self._progress is not None:
            self._progress.update(self._done_s)

    def done(self, result: Conversion) -> None:
        """See Listener."""
        self.result = result

    def failed(self, source: str, error: CodecError) -> None:
        """See Listener."""
        raise error

    def close(self) -> None:
        """Take the progress bar away."""
        if self._progress is not None:
            self._progress.close()
