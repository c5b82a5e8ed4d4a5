"""The one thread that owns the encoder: audio in, frames of codes out, each at its time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from codec import FrameAssembler
from codec.session import Encoder, EncoderSession
from gateway.metrics import EncoderMetrics
from gateway.pacer import Pacer
from gateway.sources import AudioBlock, AudioSource
from gateway.stall import StallWatch
from protocol.service import PaceWatch

__all__ = ["EncoderWorker", "FrameMark", "FrameWriter"]

logger = logging.getLogger(__name__)

FASTER = (
    "take a smaller model (codec-export encoder --precision int8, then --model), more --threads, or --device cuda "
    "where there is a GPU"
)
"""What helps an encoder that is too slow."""

_WARM_UP_FRAMES = 2
_LAST_WORD_S = 0.5  # a short packet goes out after such a wait: its frames would come too late behind the stall
_MAX_LATENESS_S = 1.0  # beyond it the index moves on to now: players hold a grid of time, not a list of frames


@dataclass(frozen=True, slots=True)
class FrameMark:
    """When the first sample of a frame was recorded, in seconds of the pipeline's monotonic clock.

    speech: whether somebody speaks in it, as far as anybody listens for that.
    """

    index: int
    captured_at: float
    speech: bool = True


class FrameWriter(Protocol):
    """Where the frames go. Called on the worker's thread, in order."""

    def write(self, mark: FrameMark, codes: NDArray[np.int64]) -> None:
        """One frame, codes `[K]`, and when it was captured."""

    def gap(self, first: int, frames: int) -> None:
        """So many indices from `first` will never come."""

    def finish(self) -> None:
        """Nothing more is to be expected soon: what is pending goes out."""


class _StreamEnd(Exception):
    """The way out of the frame loop: a stop, or the limit of frames."""


class EncoderWorker:
    """Reads the source, cuts frames, paces, encodes, writes. Not reusable.

    The session is made, warmed up on silence, reset and used on one thread only. `start` warms up; nothing is read
    from the source before `begin`. At the end of the source the codec's own delay is flushed with silence, so that
    the last word is not swallowed.

    stop: set by anybody; the worker ends within one frame. limit_frames: end after so many, the ones that were passed
    over included: it is a length of time. watch: told of every block and frame.
    speaks: asked of each frame [frame_size] whether somebody speaks in it, on the worker's thread.
    """

    def __init__(
        self,
        *,
        encoder: Encoder,
        source: AudioSource,
        writer: FrameWriter,
        pacer: Pacer,
        stop: threading.Event,
        clock: Callable[[], float],
        limit_frames: int | None = None,
        watch: StallWatch | None = None,
        speaks: Callable[[NDArray[np.float32]], bool] = lambda frame: True,
    ) -> None:
        self._encoder = encoder
        self._source = source
        self._writer = writer
        self._pacer = pacer
        self._stop = stop
        self._clock = clock
        self._limit_frames = limit_frames
        self._watch = watch or StallWatch(clock=clock)
        self._speaks = speaks
        self._written_at: float | None = None
        self._turns = 0
        self._pacing = False
        self._spec = encoder.spec
        self._assembler = FrameAssembler(self._spec.frame_size)
        self._go = threading.Event()
        self._thread = threading.Thread(target=self._main, name="encoder-worker", daemon=True)
        self.metrics = EncoderMetrics(self._spec.frame_size / self._spec.sample_rate)
        self.pace = PaceWatch(lambda: f"encoding {self._spec.name}", remedy=f"what is late is not sent; {FASTER}")
        self.next_index = 0
        self.mark: FrameMark | None = None
        self.error: BaseException | None = None
        self.ready = threading.Event()
        self.done = threading.Event()

    @property
    def turns(self) -> int | None:
        """Rises with every block and frame; None while it may stand still: it waits for the source, or for its time."""
        return None if self._pacing or self._watch.waiting else self._turns

    def start(self) -> None:
        """Start the thread: warm up, then wait for `begin`."""
        self._thread.start()

    def begin(self) -> None:
        """Let the audio flow. The pacer's origin must be set."""
        self._go.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; False where it does not end (it is a daemon: it ends with the process)."""
        self._go.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def run(self) -> None:
        """Everything the thread does, for whoever calls it. Raises what source, encoder or writer raise."""
        with self._encoder.session() as session:
            silence = np.zeros((1, self._spec.frame_size), dtype=np.float32)
            for _ in range(_WARM_UP_FRAMES):
                session.encode(silence)
            session.reset()
            self.ready.set()
            self._go.wait()
            try:
                for block in self._watch.blocks(self._source.blocks(self._stop)):
                    self._take(session, block)
                self._drain(session)
            except _StreamEnd:
                pass

    def _main(self) -> None:
        try:
            self.run()
        except BaseException as error:  # raised again by the pipeline on the main thread
            self.error = error
        finally:
            self.ready.set()
            self.done.set()

    def _take(self, session: EncoderSession, block: AudioBlock) -> None:
        self._turns += 1
        if block.lost_samples:
            self._skip_lost(session, block.lost_samples)
        if not block.samples.size and self._written_at is not None and self._clock() - self._written_at > _LAST_WORD_S:
            self._written_at = None
            self._writer.finish()
        frames = self._assembler.push(block.samples)
        for number, frame in enumerate(frames):
            captured_at: float | None = None
            if block.captured_at is not None:
                after = self._assembler.pending + (len(frames) - number) * self._spec.frame_size
                captured_at = block.captured_at + (len(block.samples) - after) / self._spec.sample_rate
            self._frame(session, frame, captured_at)

    def _drain(self, session: EncoderSession) -> None:
        """The tail: what the codec still holds back, and the last frame filled up with silence."""
        if self._stop.is_set():
            return
        tail = self._assembler.push(np.zeros(self._spec.delay_samples, dtype=np.float32))
        last = self._assembler.flush()
        for frame in [*tail, *([] if last is None else [last])]:
            self._frame(session, frame, None)

    def _frame(self, session: EncoderSession, frame: NDArray[np.float32], captured_at: float | None) -> None:
        if self._stop.is_set() or self._at_limit():
            raise _StreamEnd
        if not self._source.live:
            self._pacing = True
            late_s = self._pacer.wait_for(self.next_index)
            self._pacing = False
            if late_s is None:
                raise _StreamEnd
            if late_s > _MAX_LATENESS_S:
                self._skip(int(late_s / self.metrics.frame_duration_s), "the encoder or the source fell behind")
                if self._at_limit():
                    raise _StreamEnd
        index = self.next_index
        captured_at = self._time_of(index) if captured_at is None else captured_at
        mark = FrameMark(index, captured_at, self._speaks(frame))
        self.mark = mark
        begun = self._clock()
        codes = session.encode(frame[np.newaxis])
        seconds = self._clock() - begun
        self.metrics.encoded(seconds)
        self.pace.add(seconds, self.metrics.frame_duration_s)
        self.metrics.nonfinite_samples = session.nonfinite_samples
        self._turns += 1
        self.next_index = index + 1
        self._watch.frame(index, mark.captured_at)
        self._writer.write(mark, codes[0, :, 0])
        self._written_at = self._clock()

    def _at_limit(self) -> bool:
        return self._limit_frames is not None and self.next_index >= self._limit_frames

    def _time_of(self, index: int) -> float:
        """When a frame without a capture time was due; on a live source the frame before it says so."""
        if self._source.live and self.mark is not None:
            return self.mark.captured_at + (index - self.mark.index) * self.metrics.frame_duration_s
        return self._pacer.frame_start(index)

    def _skip_lost(self, session: EncoderSession, samples: int) -> None:
        """Lost audio moves the index on by whole frames; silence stands for the rest, so that every index keeps its
        time: the frame that was begun is filled up with it, and the first one afterwards begins with it."""
        pending = self._assembler.pending
        filled = min(samples, self._spec.frame_size - pending) if pending else 0
        for frame in self._assembler.push(np.zeros(filled, dtype=np.float32)):
            self._frame(session, frame, None)
        frames, rest = divmod(samples - filled, self._spec.frame_size)
        if frames:
            self._skip(frames, "the source lost audio")
        self._assembler.push(np.zeros(rest, dtype=np.float32))

    def _skip(self, frames: int, reason: str) -> None:
        if self._limit_frames is not None:
            frames = min(frames, self._limit_frames - self.next_index)  # the stream has an end, and nothing lies behind
        if frames < 1:
            return
        logger.warning("gap of %d frames at frame %d: %s", frames, self.next_index, reason)
        self._writer.gap(self.next_index, frames)
        self.metrics.gaps += 1
        self.metrics.frames_gapped += frames
        self.next_index += frames
