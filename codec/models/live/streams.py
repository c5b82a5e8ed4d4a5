"""Streams that join, push, and leave, and the step that serves them all."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Generic, NewType, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from codec.checks import clean_samples, complete_codes
from codec.errors import CodecError, FrameSizeError, OverloadError
from codec.framing import FrameAssembler
from codec.models.device import torch_device
from codec.models.half import CodecHalf, DecoderHalf, EncoderHalf
from codec.models.live.engine import ActiveMode, Mode, StepEngine, chosen_mode
from codec.models.live.statistics import LiveStatistics
from codec.session import AnyIntegers, Codes, Samples
from codec.spec import CodecSpec

logger = logging.getLogger(__name__)

StreamHandle = NewType("StreamHandle", int)
"""Names a stream; never used again for another one."""

HalfT = TypeVar("HalfT", bound=CodecHalf)

CAPACITY = 16
MAX_WAITING_FRAMES = 25
"""Two seconds: a live source that is farther ahead of the steps than this is not served, but piled up."""

Frame = NDArray[Any]


@dataclass(slots=True)
class _Place:
    """A stream's row and the frames of it that no step has taken yet."""

    row: int
    assembler: FrameAssembler
    waiting: deque[Frame] = field(default_factory=deque)
    begun: bool = False
    finished: bool = False


class _LiveHalf(Generic[HalfT]):
    """Places for `capacity` streams of one half. `device` moves the half first ("cpu", "cuda", …); None: where it is.

    `join`, `push`, `finish` and `leave` may be called from any thread, `step` from one. `clock` in seconds. Raises
    CodecError where `device` or `mode` cannot be had.
    """

    def __init__(
        self,
        half: HalfT,
        spec: CodecSpec,
        *,
        capacity: int = CAPACITY,
        device: str | None = None,
        mode: Mode = "auto",
        max_waiting_frames: int = MAX_WAITING_FRAMES,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if capacity < 1 or max_waiting_frames < 1:
            raise ValueError(f"at least one place and one frame, not {capacity} and {max_waiting_frames}")
        half = half.eval()
        if device is not None:
            half = half.to(torch_device(device))
        self.spec, self.capacity, self.max_waiting_frames = spec, capacity, max_waiting_frames
        self._engine = StepEngine(
            half, self._silent_frame(), capacity, chosen_mode(mode, next(half.parameters()).device)
        )
        self._statistics = LiveStatistics(fallbacks=self._engine.fallbacks)
        self._places: dict[StreamHandle, _Place] = {}
        self._free = list(range(capacity))
        self._next_handle = 0
        self._lock = Lock()
        self._clock, self._is_slow = clock, False

    def _silent_frame(self) -> torch.Tensor:
        """One row's input of one step, [1, ...]."""
        raise NotImplementedError

    @property
    def mode(self) -> ActiveMode:
        """How steps run in fact."""
        return self._engine.mode

    @property
    def device(self) -> torch.device:
        """Where they run."""
        return self._engine.device

    @property
    def bytes_per_stream(self) -> int:
        """State of one stream; what a step needs besides comes on top."""
        return self._engine.arena.bytes_per_row

    @property
    def streams(self) -> int:
        """How many have a place."""
        return len(self._places)

    @property
    def waiting(self) -> int:
        """Frames of the stream that has most of them waiting: this many steps until nothing waits."""
        with self._lock:
            return max((len(place.waiting) for place in self._places.values()), default=0)

    def statistics(self) -> LiveStatistics:
        """A copy of the counters."""
        with self._lock:
            return replace(self._statistics)

    def join(self) -> StreamHandle:
        """A place for a new stream, which begins with its first frame. Raises OverloadError when all are taken."""
        with self._lock:
            if not self._free:
                self._statistics.refused_streams += 1
                raise OverloadError(
                    f"All {self.capacity} places for live streams are taken: wait for one to leave, or make more places"
                )
            handle = StreamHandle(self._next_handle)
            self._next_handle += 1
            self._places[handle] = _Place(self._free.pop(), FrameAssembler(self.spec.frame_size))
            self._statistics.joined += 1
            return handle

    def leave(self, handle: StreamHandle) -> None:
        """Give the place back at once; frames that wait are dropped. Raises CodecError for a stream not here."""
        with self._lock:
            self._remove(handle, self._place(handle))

    def _remove(self, handle: StreamHandle, place: _Place) -> None:
        del self._places[handle]
        self._free.append(place.row)
        self._statistics.left += 1

    def _place(self, handle: StreamHandle) -> _Place:
        place = self._places.get(handle)
        if place is None:
            raise CodecError(f"No live stream {handle} here: it has left, or never joined")
        return place

    def _open_place(self, handle: StreamHandle) -> _Place:
        place = self._place(handle)
        if place.finished:
            raise CodecError(f"The live stream {handle} is finished and takes no more")
        return place

    def _require_room(self, handle: StreamHandle, place: _Place, added: int) -> None:
        if len(place.waiting) + added > self.max_waiting_frames:
            self._statistics.refused_pushes += 1
            raise OverloadError(
                f"The live stream {handle} has {len(place.waiting)} frames waiting and brings {added} more, beyond "
                f"{self.max_waiting_frames}: push no faster than real time, and step at least once a frame"
            )

    def _finish(self, handle: StreamHandle, place: _Place) -> None:
        place.finished = True
        if not place.waiting:
            self._remove(handle, place)

    def _advance(self) -> dict[StreamHandle, Frame]:
        """One frame of every stream that has one waiting."""
        with self._lock:
            ready = [(handle, place, place.waiting[0]) for handle, place in self._places.items() if place.waiting]
        if not ready:
            return {}
        # A place begins in the first step that takes a frame of it, so a row's former owner leaves nothing behind,
        # even one that left while a step was running.
        begin = [place.row for _, place, _ in ready if not place.begun]
        started = self._clock()
        results = self._engine.step([frame for *_, frame in ready], [place.row for _, place, _ in ready], begin=begin)
        taken = self._clock() - started
        made: dict[StreamHandle, Frame] = {}
        with self._lock:
            self._count_step(taken, len(ready))
            for (handle, place, _), result in zip(ready, results, strict=True):
                place.begun = True
                if handle in self._places:  # it may have left meanwhile
                    made[handle] = result
                    place.waiting.popleft()
                    if place.finished and not place.waiting:
                        self._remove(handle, place)
        return made

    def _count_step(self, taken: float, frames: int) -> None:
        self._statistics.steps += 1
        self._statistics.frames += frames
        slow = taken > self.spec.frame_duration_s
        if slow:
            self._statistics.slow_steps += 1
        if slow and not self._is_slow:
            logger.warning(
                "live step of %d streams took %.0f ms for frames of %.0f ms: too many for this machine if it goes on",
                frames,
                1000 * taken,
                1000 * self.spec.frame_duration_s,
            )
        self._is_slow = slow


class LiveEncoder(_LiveHalf[EncoderHalf]):
    """Samples of many live streams to codes, one frame of latency; see `_LiveHalf` for the parameters."""

    def _silent_frame(self) -> torch.Tensor:
        return torch.zeros(1, self.spec.frame_size)

    def push(self, handle: StreamHandle, pcm: ArrayLike) -> None:
        """Samples [T] of a stream, any number; whole frames wait for a step, the rest for more samples.

        Raises OverloadError, having taken nothing, where that would be too many frames; FrameSizeError, CodecError.
        """
        samples = np.asarray(pcm)
        if samples.ndim != 1:
            raise FrameSizeError(f"A live stream is mono samples [T], not shape {list(samples.shape)}")
        cleaned, replaced = clean_samples(samples)
        with self._lock:
            place = self._open_place(handle)
            self._require_room(handle, place, (place.assembler.pending + len(cleaned)) // self.spec.frame_size)
            self._statistics.nonfinite_samples += replaced
            place.waiting.extend(place.assembler.push(cleaned))

    def finish(self, handle: StreamHandle) -> None:
        """No more samples: the last frame is filled up with zeros, and the stream leaves when it has been encoded."""
        with self._lock:
            place = self._open_place(handle)
            last = place.assembler.flush()
            if last is not None:
                place.waiting.append(last)
            self._finish(handle, place)

    def step(self) -> dict[StreamHandle, Codes]:
        """Codes [K, 1] of the next frame of every stream that has one waiting; {} where none has."""
        return self._advance()


class LiveDecoder(_LiveHalf[DecoderHalf]):
    """Codes of many live streams to samples; see `_LiveHalf` for the parameters."""

    def _silent_frame(self) -> torch.Tensor:
        return torch.zeros((1, self.spec.num_layers, 1), dtype=torch.int64)

    def push(self, handle: StreamHandle, codes: AnyIntegers) -> None:
        """Codes [K, N] of a stream, K any prefix of the layers. Raises CodesError, and as `LiveEncoder.push`."""
        complete = complete_codes(np.asarray(codes)[np.newaxis], self.spec, 1)[0]
        with self._lock:
            place = self._open_place(handle)
            self._require_room(handle, place, complete.shape[1])
            place.waiting.extend(complete[:, index : index + 1].copy() for index in range(complete.shape[1]))

    def finish(self, handle: StreamHandle) -> None:
        """No more codes: the stream leaves when the last frame has been decoded."""
        with self._lock:
            self._finish(handle, self._open_place(handle))

    def step(self) -> dict[StreamHandle, Samples]:
        """Samples [frame_size] of the next frame of every stream that has one waiting; {} where none has."""
        return self._advance()
