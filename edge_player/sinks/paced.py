"""Sinks without a clock of their own: a timer takes samples out in real time, as a sound card would."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_player.render.ring import PcmRing
from protocol.service import WatchedPart

logger = logging.getLogger(__name__)

TICK_S = 0.01
LEAD_S = 0.03
"""Three ticks: what the player worker has to notice the low ring and decode."""

PATIENCE_S = 0.25
"""So long a file waits for samples that are due before it takes silence instead: nobody is listening to the delay."""

MAX_BACKLOG_S = 0.5
"""More than this behind (the process was stopped, the pipe was full): time is given up, not made good in a rush."""

BLOCK_S = 0.1
_JOIN_S = 2.0


class PacedSink:
    """Base of the sinks that a timer drives; the subclass says what becomes of samples. Not reusable.

    `tick` is one step and pure in time: the thread only calls it every 10 ms. `waits_for_reader`: what takes the
    samples may make us wait for as long as it likes, and that is no fault.
    """

    waits_for_reader = False

    def __init__(self, sample_rate: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sample_rate = sample_rate
        self._clock = clock
        self._block: NDArray[np.float32] = np.zeros(max(1, round(BLOCK_S * sample_rate)), dtype=np.float32)
        self._ring: PcmRing | None = None
        self._origin = 0.0
        self._consumed = 0
        self._stalled_at: float | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None
        self._turns = 0
        self.backlog_samples_dropped = 0

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self._sample_rate

    @property
    def lead_s(self) -> float:
        """What the ring has to hold, seconds."""
        return LEAD_S

    @property
    def latency_s(self) -> float:
        """Half a tick: the wait for the next one, on average."""
        return TICK_S / 2

    @property
    def failure(self) -> Exception | None:
        """Why it stopped by itself, if it did."""
        return self._failure

    @property
    def description(self) -> str:
        """For people."""
        return type(self).__name__

    @property
    def counters(self) -> Mapping[str, int]:
        """Samples of time given up because we were too far behind."""
        return {"sink_backlog_samples_dropped": self.backlog_samples_dropped}

    @property
    def parts(self) -> Sequence[WatchedPart]:
        """The thread that takes out what is due. What ended it is the sink's `failure`."""
        return (WatchedPart("sink's thread", lambda: None if self.waits_for_reader else self._turns),)

    def open(self) -> None:
        """Make ready to write; raises SinkError."""

    def write(self, samples: NDArray[np.float32]) -> None:
        """Take samples; the array is only lent."""

    def idle(self, samples: int) -> None:
        """So many samples of time passed in which nothing was due."""

    def close(self) -> None:
        """Finish what was written."""

    def start(self, ring: PcmRing) -> None:
        """Open and begin to empty `ring`. Raises SinkError."""
        self.begin(ring)
        self._thread = threading.Thread(target=self._run, name="paced-sink", daemon=True)
        self._thread.start()

    def begin(self, ring: PcmRing) -> None:
        """As `start`, without the thread: the caller ticks."""
        self.open()
        self._ring = ring
        self._origin = self._clock()

    def attach(self, ring: PcmRing, sample_rate: int) -> None:
        """Never called: the rate of a file does not change."""
        raise RuntimeError(f"{self.description} is written at {self._sample_rate} Hz, not {sample_rate} Hz")

    def stop(self) -> None:
        """End at once, close everything. Safe to call twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
            if self._thread.is_alive():
                # A pipe that nobody reads keeps its writer; the thread is a daemon and ends with the process.
                logger.warning("%s does not take its last samples; leaving it behind", self.description)
                return
        self.close()

    def tick(self) -> None:
        """Take out what has become due since the last tick."""
        ring = self._ring
        assert ring is not None  # begin() comes first
        now = self._clock()
        wanted = round((now - self._origin) * self._sample_rate) - self._consumed
        backlog = wanted - round(MAX_BACKLOG_S * self._sample_rate)
        if backlog > 0 and self._stalled_at is None:
            self._consumed += backlog
            wanted -= backlog
            self.backlog_samples_dropped += backlog
        while wanted > 0:
            block = self._block[: min(wanted, len(self._block))]
            count = ring.read_into(block)
            if count:
                self.write(block[:count])
                self._consumed += count
                wanted -= count
                self._stalled_at = None
            if count < len(block):
                self._starved(ring, wanted, now)
                return

    def _starved(self, ring: PcmRing, wanted: int, now: float) -> None:
        if ring.active:
            if self._stalled_at is None:
                self._stalled_at = now
            if now - self._stalled_at < PATIENCE_S:
                return  # time stands still for a moment; the next ticks make it good
            ring.note_underrun(wanted)
        self._stalled_at = None
        self._consumed += wanted
        self.idle(wanted)

    def _run(self) -> None:
        try:
            while not self._stop.wait(TICK_S):
                self.tick()
                self._turns += 1
        except Exception as error:  # seen by the pipeline, which names it to the user
            self._failure = error
