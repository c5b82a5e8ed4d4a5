"""Whether the source keeps the encoder waiting: noticed from outside, for a source that blocks cannot say so itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator

from gateway.sources.base import AudioBlock

__all__ = ["STALL_S", "StallWatch"]

logger = logging.getLogger(__name__)

STALL_S = 2.0
"""So long without a sample is a stall. Shorter ones are jitter of a network, or a sound card that is opened again."""


class StallWatch:
    """Times how long the next block of sound lets wait for itself; says when that is a stall, and when it is over.

    What is measured is the wait for the source alone: neither a slow encoder nor the pacer looks like a stall. An
    empty block is no sound.

    name: of the source, for the log. on_stall: called on the pipeline's thread, once per stall. on_resume: called on
    the encoder worker's thread, before the first frame after it is written. Both are called under one lock, so that
    they come in turn.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        name: Callable[[], str] = lambda: "the source",
        on_stall: Callable[[], None] = lambda: None,
        on_resume: Callable[[int, float], None] = lambda index, captured_at: None,
    ) -> None:
        self._clock = clock
        self._name = name
        self._on_stall = on_stall
        self._on_resume = on_resume
        self._lock = threading.Lock()
        self._waiting_since: float | None = None
        self._stalled_since: float | None = None
        self._stalled_s = 0.0
        self.stalls = 0

    @property
    def stalled(self) -> bool:
        """Whether a stall was said and is not over."""
        return self._stalled_since is not None

    @property
    def stalled_s(self) -> float:
        """Seconds of all stalls together, the present one included."""
        since = self._stalled_since
        return self._stalled_s + (0.0 if since is None else self._clock() - since)

    @property
    def waiting(self) -> bool:
        """Whether the encoder waits for sound now."""
        return self._waiting_since is not None

    @property
    def waiting_s(self) -> float:
        """For how long the encoder has been waiting for sound now; 0 where it is not."""
        since = self._waiting_since
        return 0.0 if since is None else self._clock() - since

    def blocks(self, blocks: Iterable[AudioBlock]) -> Iterator[AudioBlock]:
        """The blocks as they come, with an eye on the time between. On the encoder worker's thread."""
        self._waiting_since = self._clock()
        try:
            for block in blocks:
                if block.samples.size:
                    self._waiting_since = None
                yield block
                if self._waiting_since is None:
                    self._waiting_since = self._clock()
        finally:
            self._waiting_since = None

    def frame(self, index: int, captured_at: float) -> None:
        """A frame is about to be written. On the encoder worker's thread."""
        if self._stalled_since is None:
            return
        with self._lock:
            if self._stalled_since is None:
                return
            seconds = self._clock() - self._stalled_since
            self._stalled_s += seconds
            self._stalled_since = None
            logger.info("sound again from %s after %.1f s, at frame %d", self._name(), seconds, index)
            self._on_resume(index, captured_at)

    def tick(self) -> None:
        """Once in a while, on the pipeline's thread."""
        since = self._waiting_since
        if since is None or self._stalled_since is not None or self._clock() - since < STALL_S:
            return
        with self._lock:
            if self._waiting_since != since:
                return  # sound came at this very moment
            self._stalled_since = since
            self.stalls += 1
            logger.warning("no sound from %s for %.0f s", self._name(), STALL_S)
            self._on_stall()
