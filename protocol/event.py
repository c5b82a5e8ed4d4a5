"""Events of a stream: start, stop, gap, stall, pause, priority, clock report. Small msgpack arrays, kind first."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

import msgpack

from protocol.errors import Fault, MessageError
from protocol.limits import (
    MAX_EPOCH,
    MAX_EPOCH_LOW7,
    MAX_EVENT_BYTES,
    MAX_FRAME_INDEX,
    MAX_GAP_FRAMES,
    MAX_PRIORITY,
    MAX_RATE_PPM,
    MAX_UTC_MS,
)
from protocol.untrusted import check_int, unpack_array

CLOCK_REPORT_S: Final = 10
"""Seconds from one clock report to the next."""

HEARTBEAT_S: Final = 15
"""Seconds from one heartbeat to the next while nothing is sent because nobody speaks."""
HEARTBEAT_PATIENCE_S: Final = 3 * HEARTBEAT_S
"""A pause without a word for longer is no pause any more: something is broken."""

_MAX_KIND: Final = 127
_TENTHS: Final = 10
"""Rates travel as tenths of a ppm: 0.1 ppm is 0.4 ms an hour, and the usual ones take three bytes."""


class _Kind(IntEnum):
    """The first field of an event. A number is never given a second meaning."""

    STARTED = 1
    STOPPED = 2
    GAP = 3
    PRIORITY = 4
    CLOCK = 5
    STALLED = 6
    RESUMED = 7
    PAUSED = 8


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """The first frame of an epoch is about to be sent."""

    epoch: int
    """All 64 bits, as in the manifest."""
    first_frame: int
    """Extended index."""
    at_ms: int
    """UTC of its first sample, ms."""

    def __post_init__(self) -> None:
        _check_epoch_and_frame(self.epoch, self.first_frame)
        _check_time(self.at_ms)


@dataclass(frozen=True, slots=True)
class StreamStopped:
    """The epoch is over: from `first_frame` to `last_frame`, both included, every frame is due at every player."""

    epoch: int
    first_frame: int
    last_frame: int
    """first_frame - 1 where nothing was sent."""
    at_ms: int
    """UTC of the end of the last frame, ms."""

    def __post_init__(self) -> None:
        _check_epoch_and_frame(self.epoch, self.first_frame)
        check_int(self.last_frame, "last_frame", self.first_frame - 1, MAX_FRAME_INDEX, error=MessageError)
        _check_time(self.at_ms)


@dataclass(frozen=True, slots=True)
class StreamGap:
    """These frames will never come: the gateway dropped them or had nothing to encode."""

    epoch: int
    first_frame: int
    frames: int

    def __post_init__(self) -> None:
        _check_epoch_and_frame(self.epoch, self.first_frame)
        check_int(self.frames, "frames", 1, MAX_GAP_FRAMES, error=MessageError)


@dataclass(frozen=True, slots=True)
class PriorityChanged:
    """How urgent the stream is from now on."""

    epoch: int
    priority: int
    """0 is ordinary, 9 the most urgent."""

    def __post_init__(self) -> None:
        check_int(self.epoch, "epoch", 0, MAX_EPOCH, error=MessageError)
        check_int(self.priority, "priority", 0, MAX_PRIORITY, error=MessageError)


@dataclass(frozen=True, slots=True)
class ClockReport:
    """When a frame was captured and how fast the sender's sample clock runs; every 10 s, at QoS 0."""

    epoch: int
    frame: int
    """Extended index."""
    at_ms: int
    """UTC of its first sample, ms."""
    rate_ppm: float = 0.0
    """Sample clock against UTC: positive where it is fast. Kept to a tenth of a ppm on the wire, |rate| <= 100 000."""

    def __post_init__(self) -> None:
        _check_epoch_and_frame(self.epoch, self.frame)
        _check_time(self.at_ms)
        if type(self.rate_ppm) not in (float, int):
            raise MessageError(Fault.TYPE, f"rate_ppm: expected a number, got {type(self.rate_ppm).__name__}")
        if not -MAX_RATE_PPM <= self.rate_ppm <= MAX_RATE_PPM:
            raise MessageError(Fault.RANGE, f"rate_ppm: expected at most {MAX_RATE_PPM} either way")


@dataclass(frozen=True, slots=True)
class SourceStalled:
    """The source hands over no sound any more, though the stream goes on; said after 2 s of waiting for it."""

    epoch: int
    frame: int
    """Extended index of the first frame that is missing."""
    at_ms: int
    """UTC of the end of the sound there was, ms."""

    def __post_init__(self) -> None:
        _check_epoch_and_frame(self.epoch, self.frame)
        _check_time(self.at_ms)


@dataclass(frozen=True, slots=True)
class SourceResumed:
    """There is sound again after a stall. The frames between were never encoded: a gap says which."""

    epoch: int
    frame: int
    """Extended index of the first frame after the stall."""
    at_ms: int
    """UTC of its first sample, ms."""

    def __post_init__(self) -> None:
        _check_epoch_and_frame(self.epoch, self.frame)
        _check_time(self.at_ms)


@dataclass(frozen=True, slots=True)
class StreamPaused:
    """The heartbeat of a pause: nobody speaks, nothing was sent since the last packet; every 15 s, at QoS 0."""

    epoch: int
    """The low 7 bits, as in the packets that it stands in for: a lost one is made good, and none is repeated late."""

    def __post_init__(self) -> None:
        check_int(self.epoch, "epoch", 0, MAX_EPOCH_LOW7, error=MessageError)


Event: TypeAlias = (
    StreamStarted
    | StreamStopped
    | StreamGap
    | PriorityChanged
    | ClockReport
    | SourceStalled
    | SourceResumed
    | StreamPaused
)


def encode_event(event: Event) -> bytes:
    """The payload; 28 bytes for an ordinary clock report."""
    fields: tuple[int, ...]
    match event:
        case StreamStarted():
            fields = (_Kind.STARTED, event.epoch, event.first_frame, event.at_ms)
        case StreamStopped():
            fields = (_Kind.STOPPED, event.epoch, event.first_frame, event.last_frame, event.at_ms)
        case StreamGap():
            fields = (_Kind.GAP, event.epoch, event.first_frame, event.frames)
        case PriorityChanged():
            fields = (_Kind.PRIORITY, event.epoch, event.priority)
        case ClockReport():
            fields = (_Kind.CLOCK, event.epoch, event.frame, event.at_ms, round(event.rate_ppm * _TENTHS))
        case SourceStalled():
            fields = (_Kind.STALLED, event.epoch, event.frame, event.at_ms)
        case SourceResumed():
            fields = (_Kind.RESUMED, event.epoch, event.frame, event.at_ms)
        case StreamPaused():
            fields = (_Kind.PAUSED, event.epoch)
    payload: bytes = msgpack.packb(fields)
    return payload


def decode_event(payload: bytes) -> Event:
    """The event in `payload`; raises MessageError and nothing else, reason UNKNOWN for a kind of a later version."""
    kind, *fields = unpack_array(payload, at_least=1, max_bytes=MAX_EVENT_BYTES, error=MessageError)
    match check_int(kind, "kind", 0, _MAX_KIND, error=MessageError):
        case _Kind.STARTED:
            epoch, first_frame, at_ms = _integers(fields, 3)
            return StreamStarted(epoch=epoch, first_frame=first_frame, at_ms=at_ms)
        case _Kind.STOPPED:
            epoch, first_frame, last_frame, at_ms = _integers(fields, 4)
            return StreamStopped(epoch=epoch, first_frame=first_frame, last_frame=last_frame, at_ms=at_ms)
        case _Kind.GAP:
            epoch, first_frame, frames = _integers(fields, 3)
            return StreamGap(epoch=epoch, first_frame=first_frame, frames=frames)
        case _Kind.PRIORITY:
            epoch, priority = _integers(fields, 2)
            return PriorityChanged(epoch=epoch, priority=priority)
        case _Kind.CLOCK:
            epoch, frame, at_ms, tenths = _integers(fields, 4)
            return ClockReport(epoch=epoch, frame=frame, at_ms=at_ms, rate_ppm=tenths / _TENTHS)
        case _Kind.STALLED:
            epoch, frame, at_ms = _integers(fields, 3)
            return SourceStalled(epoch=epoch, frame=frame, at_ms=at_ms)
        case _Kind.RESUMED:
            epoch, frame, at_ms = _integers(fields, 3)
            return SourceResumed(epoch=epoch, frame=frame, at_ms=at_ms)
        case _Kind.PAUSED:
            (epoch,) = _integers(fields, 1)
            return StreamPaused(epoch=epoch)
        case unknown:
            raise MessageError(Fault.UNKNOWN, f"expected an event of kind 1 to {len(_Kind)}, got {unknown}: ignore it")


def _integers(fields: list[object], count: int) -> list[int]:
    # Ranges are checked by the events themselves; what follows the fields we know belongs to a later version.
    if len(fields) < count:
        raise MessageError(Fault.STRUCTURE, f"expected {count} fields after the kind, got {len(fields)}")
    return [check_int(field, "field", -MAX_EPOCH, MAX_EPOCH, error=MessageError) for field in fields[:count]]


def _check_epoch_and_frame(epoch: int, frame: int) -> None:
    check_int(epoch, "epoch", 0, MAX_EPOCH, error=MessageError)
    check_int(frame, "frame index", 0, MAX_FRAME_INDEX, error=MessageError)


def _check_time(at_ms: int) -> None:
    check_int(at_ms, "at_ms", 0, MAX_UTC_MS, error=MessageError)
