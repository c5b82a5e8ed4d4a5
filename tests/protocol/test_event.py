from __future__ import annotations

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import Fault, MessageError
from protocol.event import (
    ClockReport,
    Event,
    PriorityChanged,
    SourceResumed,
    SourceStalled,
    StreamGap,
    StreamPaused,
    StreamStarted,
    StreamStopped,
    decode_event,
    encode_event,
)

AT = 1_735_689_600_000
EVENTS: list[Event] = [
    StreamStarted(epoch=2**64 - 1, first_frame=0, at_ms=AT),
    StreamStopped(epoch=5, first_frame=10, last_frame=2**40, at_ms=AT),
    StreamGap(epoch=5, first_frame=65_536, frames=50),
    PriorityChanged(epoch=5, priority=9),
    ClockReport(epoch=2**63, frame=2**32 + 1, at_ms=AT, rate_ppm=-33.3),
    SourceStalled(epoch=2**64 - 1, frame=1125, at_ms=AT),
    SourceResumed(epoch=5, frame=2**32 + 1, at_ms=AT),
    StreamPaused(epoch=127),
]

epochs = st.integers(0, 2**64 - 1)
frames = st.integers(0, 2**53 - 1)
times = st.integers(0, 2**53 - 1)
events = (
    st.builds(StreamStarted, epoch=epochs, first_frame=frames, at_ms=times)
    | st.builds(
        StreamStopped, epoch=epochs, first_frame=st.integers(0, 9), last_frame=st.integers(8, 2**53 - 1), at_ms=times
    )
    | st.builds(StreamGap, epoch=epochs, first_frame=frames, frames=st.integers(1, 2**31 - 1))
    | st.builds(SourceStalled, epoch=epochs, frame=frames, at_ms=times)
    | st.builds(SourceResumed, epoch=epochs, frame=frames, at_ms=times)
    | st.builds(StreamPaused, epoch=st.integers(0, 127))
    | st.builds(PriorityChanged, epoch=epochs, priority=st.integers(0, 9))
    | st.builds(
        ClockReport,
        epoch=epochs,
        frame=frames,
        at_ms=times,
        rate_ppm=st.integers(-1_000_000, 1_000_000).map(lambda tenths: tenths / 10),
    )
)


@settings(deadline=None)
@given(event=events)
def test_events_round_trip(event: Event) -> None:
    assert decode_event(encode_event(event)) == event


@pytest.mark.parametrize("rate_ppm", [0.0, 12.5, -250.0, 3000.0, -100_000.0])
@pytest.mark.parametrize("frame", [0, 65_535, 65_536, 2**32 - 1])
def test_a_clock_report_takes_at_most_30_bytes(rate_ppm: float, frame: int) -> None:
    assert len(encode_event(ClockReport(epoch=2**64 - 1, frame=frame, at_ms=AT, rate_ppm=rate_ppm))) <= 30


def test_a_heartbeat_takes_3_bytes() -> None:
    assert len(encode_event(StreamPaused(epoch=127))) == 3


def test_an_ordinary_clock_report_takes_28_bytes() -> None:
    assert len(encode_event(ClockReport(epoch=2**64 - 1, frame=2**20, at_ms=AT, rate_ppm=-250.0))) == 28


def test_a_rate_is_kept_to_a_tenth_of_a_ppm() -> None:
    report = decode_event(encode_event(ClockReport(epoch=1, frame=2, at_ms=3, rate_ppm=1.2345)))
    assert report == ClockReport(epoch=1, frame=2, at_ms=3, rate_ppm=1.2)


def test_an_epoch_without_frames_stops_before_its_first() -> None:
    stopped = StreamStopped(epoch=1, first_frame=0, last_frame=-1, at_ms=AT)
    assert decode_event(encode_event(stopped)) == stopped


@pytest.mark.parametrize("event", EVENTS)
def test_fields_of_a_later_version_are_ignored(event: Event) -> None:
    fields = msgpack.unpackb(encode_event(event))
    assert decode_event(msgpack.packb([*fields, "later", None, b"x", 1.5])) == event


@pytest.mark.parametrize("kind", [0, 9, 127])
def test_an_unknown_kind_is_told_apart_by_its_reason(kind: int) -> None:
    with pytest.raises(MessageError, match="ignore it") as refused:
        decode_event(msgpack.packb([kind, "whatever"]))
    assert refused.value.reason is Fault.UNKNOWN


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([], Fault.STRUCTURE),
        ([1], Fault.STRUCTURE),
        ([2, 1, 2, 3], Fault.STRUCTURE),
        ([5, 1, 2, 3], Fault.STRUCTURE),
        (["1", 1, 2, 3], Fault.TYPE),
        ([True, 1, 2, 3], Fault.TYPE),
        ([1.0, 1, 2, 3], Fault.TYPE),
        ([-1, 1, 2, 3], Fault.RANGE),
        ([1, True, 2, 3], Fault.TYPE),
        ([8], Fault.STRUCTURE),
        ([8, 128], Fault.RANGE),
        ([1, -1, 2, 3], Fault.RANGE),
        ([1, 1, 2**53, 3], Fault.RANGE),
        ([1, 1, 2, -3], Fault.RANGE),
        ([2, 1, 5, 3, 0], Fault.RANGE),
        ([3, 1, 2, 0], Fault.RANGE),
        ([3, 1, 2, 2**31], Fault.RANGE),
        ([4, 1, 10], Fault.RANGE),
        ([4, 1, None], Fault.TYPE),
        ([5, 1, 2, 3, 1_000_001], Fault.RANGE),
        ([5, 1, 2, 3, 2**64 - 1], Fault.RANGE),
        ([5, 1, 2, 3, 0.5], Fault.TYPE),
        ([6, 1, 2], Fault.STRUCTURE),
        ([6, 1, 2**53, 3], Fault.RANGE),
        ([7, -1, 2, 3], Fault.RANGE),
        ([7, 1, 2, -1], Fault.RANGE),
        ([7, 1, 2, "3"], Fault.TYPE),
        ([1, 1, 2, [3]], Fault.STRUCTURE),
        ([1, 1, 2, {}], Fault.STRUCTURE),
    ],
)
def test_a_field_out_of_its_range_is_refused(fields: list[object], reason: Fault) -> None:
    with pytest.raises(MessageError) as refused:
        decode_event(msgpack.packb(fields))
    assert refused.value.reason is reason


@pytest.mark.parametrize("rate_ppm", [float("nan"), float("inf"), 100_000.1, True, "0"])
def test_a_rate_that_means_nothing_cannot_be_made(rate_ppm: float) -> None:
    with pytest.raises(MessageError, match="rate_ppm"):
        ClockReport(epoch=1, frame=2, at_ms=3, rate_ppm=rate_ppm)


@pytest.mark.parametrize("event", EVENTS)
def test_every_truncation_is_refused(event: Event) -> None:
    payload = encode_event(event)
    for length in range(len(payload)):
        with pytest.raises(MessageError):
            decode_event(payload[:length])


@pytest.mark.parametrize("event", EVENTS)
def test_every_bit_flip_gives_an_event_or_an_error(event: Event) -> None:
    payload = encode_event(event)
    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        decodes_or_is_refused(bytes(flipped))


@settings(deadline=None, max_examples=300)
@given(payload=st.binary(max_size=64))
def test_any_bytes_give_an_event_or_an_error(payload: bytes) -> None:
    decodes_or_is_refused(payload)


def decodes_or_is_refused(payload: bytes) -> None:
    try:
        event = decode_event(payload)
    except MessageError:
        return
    assert decode_event(encode_event(event)) == event
