from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codec import CodecSpec
from gateway.encoder_worker import EncoderWorker, FrameMark
from gateway.errors import SourceError
from gateway.pacer import Pacer
from gateway.sources import AudioBlock

FRAME = 1280
RATE = 16000


class RecordingWriter:
    def __init__(self) -> None:
        self.indices: list[int] = []
        self.times: list[float] = []
        self.codes: list[NDArray[np.int64]] = []
        self.gaps: list[tuple[int, int]] = []
        self.finishes = 0

    def write(self, mark: FrameMark, codes: NDArray[np.int64]) -> None:
        self.indices.append(mark.index)
        self.times.append(mark.captured_at)
        self.codes.append(codes)

    def gap(self, first: int, frames: int) -> None:
        self.gaps.append((first, frames))

    def finish(self) -> None:
        self.finishes += 1


@pytest.fixture
def writer() -> RecordingWriter:
    return RecordingWriter()


def make_worker(
    encoder: Any, source: Any, writer: RecordingWriter, clock: Any, limit_frames: int | None = None
) -> EncoderWorker:
    pacer = Pacer(FRAME / 16000, clock=clock, wait=clock.wait)
    pacer.start(clock())
    worker = EncoderWorker(
        encoder=encoder,
        source=source,
        writer=writer,
        pacer=pacer,
        stop=clock.stop,
        clock=clock,
        limit_frames=limit_frames,
    )
    worker.begin()
    return worker


def block(samples: int, value: float = 0.1, **more: Any) -> AudioBlock:
    return AudioBlock(np.full(samples, value, dtype=np.float32), **more)


def test_every_frame_of_a_file_is_encoded_in_real_time(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    worker = make_worker(encoder, make_source([block(FRAME * 5)]), writer, clock)
    worker.run()
    assert writer.indices == [0, 1, 2, 3, 4]
    assert clock() == pytest.approx(1000 + 5 * 0.08)
    assert worker.metrics.frames_encoded == 5
    assert worker.next_index == 5


def test_blocks_of_any_size_give_the_same_frames(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    signal = np.arange(FRAME * 3, dtype=np.float32)
    blocks = [AudioBlock(part) for part in np.split(signal, [7, 1000, 1300, 3000])]
    make_worker(encoder, make_source(blocks), writer, clock).run()
    np.testing.assert_array_equal(np.concatenate(encoder.frames), signal)


def test_the_encoder_is_warmed_up_and_reset_before_the_first_frame(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    make_worker(encoder, make_source([block(FRAME)]), writer, clock).run()
    assert encoder.resets == 1
    assert writer.codes[0][0] == 0  # the session's own count starts at the reset
    assert encoder.open_sessions == 0


def test_the_last_frame_is_filled_up_and_the_delay_of_the_codec_flushed(
    make_source: Any, writer: RecordingWriter, clock: Any, spec: CodecSpec, encoder: Any
) -> None:
    encoder.spec = CodecSpec(**{**spec.to_dict(), "delay_samples": FRAME})  # type: ignore[arg-type]
    make_worker(encoder, make_source([block(FRAME + 1)]), writer, clock).run()
    assert writer.indices == [0, 1, 2]
    assert not encoder.frames[2].any()
    assert np.count_nonzero(encoder.frames[1]) == 1


def test_a_limit_ends_the_stream_after_so_many_frames(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    make_worker(encoder, make_source([block(FRAME * 100)]), writer, clock, limit_frames=3).run()
    assert writer.indices == [0, 1, 2]


def test_a_stop_ends_the_stream_within_a_frame(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    source = make_source([block(FRAME * 100)])
    worker = make_worker(encoder, source, writer, clock)
    encoder.on_encode = lambda: clock.stop.set() if len(encoder.frames) == 2 and encoder.resets else None
    worker.run()
    assert writer.indices == [0, 1]


def test_lost_audio_moves_the_index_on_and_is_announced(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    blocks = [
        block(FRAME, captured_at=1.0),
        block(FRAME, captured_at=1.5, lost_samples=FRAME * 3 + 700),
        block(FRAME, captured_at=2.0, lost_samples=600),
    ]
    worker = make_worker(encoder, make_source(blocks, live=True), writer, clock)
    worker.run()
    assert writer.gaps == [(1, 3)]
    assert worker.metrics.frames_gapped == 3
    assert worker.metrics.gaps == 1


def test_silence_stands_for_lost_audio_that_is_no_whole_frame(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    blocks = [
        block(FRAME + 100, captured_at=1.0),
        block(FRAME, captured_at=1.0 + (FRAME * 4 + 300) / RATE, lost_samples=FRAME * 3 + 200),
    ]
    worker = make_worker(encoder, make_source(blocks, live=True), writer, clock)
    worker.run()
    encoded = encoder.frames[-len(writer.indices) :]
    begun, after = encoded[1], encoded[2]
    assert writer.indices[:3] == [0, 1, 4]
    assert writer.gaps == [(2, 2)]
    assert writer.times[2] - writer.times[0] == pytest.approx(4 * FRAME / RATE)
    assert np.count_nonzero(begun) == 100
    assert not begun[100:].any()
    assert not after[:300].any()
    assert np.count_nonzero(after) == FRAME - 300


def test_samples_that_the_encoder_replaced_are_counted(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    encoder.replaces = 5
    worker = make_worker(encoder, make_source([block(FRAME)]), writer, clock)
    worker.run()
    assert worker.metrics.nonfinite_samples == 5


def test_a_stall_of_more_than_a_second_moves_the_index_on_to_now(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    worker = make_worker(encoder, make_source([block(FRAME * 4)]), writer, clock)

    def stall() -> None:
        if len(encoder.frames) == 2 and encoder.resets:
            clock.now += 2.01

    encoder.on_encode = stall
    worker.run()
    (gap,) = writer.gaps
    assert gap == (2, 24)
    assert writer.indices == [0, 1, 26, 27]
    assert clock() == pytest.approx(1000 + 28 * 0.08, abs=0.08)


def test_a_live_source_is_not_paced(encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any) -> None:
    make_worker(encoder, make_source([block(FRAME * 5, captured_at=1.0)], live=True), writer, clock).run()
    assert clock() == 1000.0
    assert clock.waits == []


def test_the_mark_says_when_a_live_frame_was_captured(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    blocks = [block(1000, captured_at=50.0), block(FRAME * 2, captured_at=50.0 + 1000 / 16000)]
    worker = make_worker(encoder, make_source(blocks, live=True), writer, clock)
    worker.run()
    # The last frame is the remainder, filled up, without a time of its own.
    assert writer.times == pytest.approx([50.0, 50.08, 50.16])


def test_a_thread_of_its_own_owns_the_encoder(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    worker = make_worker(encoder, make_source([block(FRAME * 3)]), writer, clock)
    worker.start()
    assert worker.join(5.0)
    assert worker.done.is_set()
    assert worker.error is None
    assert len(encoder.threads) == 1
    assert threading.get_ident() not in encoder.threads


def test_an_error_of_the_source_is_kept_for_the_pipeline(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    worker = make_worker(encoder, make_source([block(FRAME), SourceError("gone")]), writer, clock)
    worker.start()
    assert worker.join(5.0)
    assert isinstance(worker.error, SourceError)
    assert writer.indices == [0]
    assert encoder.open_sessions == 0


def test_a_limit_is_a_length_of_time_gaps_included(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    blocks = [block(FRAME, captured_at=1.0), block(FRAME * 9, captured_at=1.5, lost_samples=FRAME * 3)]
    make_worker(encoder, make_source(blocks, live=True), writer, clock, limit_frames=6).run()
    assert writer.indices == [0, 4, 5]


def test_a_gap_does_not_reach_past_the_limit(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    blocks = [block(FRAME, captured_at=1.0), block(FRAME * 2, captured_at=9.0, lost_samples=FRAME * 100)]
    worker = make_worker(encoder, make_source(blocks, live=True), writer, clock, limit_frames=10)
    worker.run()
    assert writer.gaps == [(1, 9)]
    assert worker.next_index == 10


def test_a_short_packet_is_sent_when_the_source_falls_silent(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any
) -> None:
    class Pausing(type(make_source([]))):  # type: ignore[misc]
        def blocks(self, stop: Any) -> Any:
            yield block(FRAME)
            for _ in range(10):
                clock.now += 0.2
                yield block(0)
            yield block(FRAME)

    make_worker(encoder, Pausing([]), writer, clock).run()
    assert writer.finishes == 1
    assert writer.indices[0] == 0
    assert writer.gaps


def test_an_encoder_slower_than_the_sound_is_said_once_with_what_to_do(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def work() -> None:
        clock.now += 0.1

    encoder.on_encode = work
    worker = make_worker(encoder, make_source([block(FRAME)] * 120, live=True), writer, clock)
    worker.run()
    said = [message for message in caplog.messages if message.startswith("encoding toy takes 1.25 times as long")]
    assert len(said) == worker.pace.overloads == 1
    assert "codec-export encoder --precision int8" in said[0]


def test_while_it_waits_for_its_source_or_its_time_it_may_stand_still(
    encoder: Any, make_source: Any, writer: RecordingWriter, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int | None]] = []
    source = make_source([])

    def blocks(stop: threading.Event) -> Any:
        seen.append(("source", worker.turns))
        yield block(FRAME * 2)
        seen.append(("source", worker.turns))

    def wait(seconds: float) -> bool:
        seen.append(("pace", worker.turns))
        clock.now += seconds
        return False

    monkeypatch.setattr(source, "blocks", blocks)
    monkeypatch.setattr(clock, "wait", wait)
    worker = make_worker(encoder, source, writer, clock)
    encoder.on_encode = lambda: seen.append(("encoder", worker.turns))
    worker.run()
    shown = seen[2:]  # the warm-up
    assert shown == [
        ("source", None), ("pace", None), ("encoder", 1), ("pace", None), ("encoder", 2), ("source", None),
    ]  # fmt: skip
