"""Sinks paced by a timer, on a clock that stands still."""

from __future__ import annotations

import io
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.audio.wav import WavWriter
from codec.errors import OutputFileError
from edge_player.errors import SinkError
from edge_player.render.ring import PcmRing
from edge_player.sinks import NullSink, PacedSink, PipeSink, WavSink

Clock = Any
RATE = 16000


def tone(samples: int, value: float = 0.5) -> NDArray[np.float32]:
    return np.full(samples, value, dtype=np.float32)


def read_wav(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


@pytest.fixture
def ring() -> PcmRing:
    return PcmRing(RATE)


def test_a_paced_sink_takes_samples_in_real_time(ring: PcmRing, clock: Clock) -> None:
    sink = NullSink(RATE, clock=clock)
    sink.begin(ring)
    ring.active = True
    ring.write(tone(1000))
    clock.advance(0.01)
    sink.tick()
    assert ring.total_read == 160
    clock.advance(0.02)
    sink.tick()
    assert ring.total_read == 480
    sink.stop()


def test_a_short_stall_is_made_good_without_a_gap(ring: PcmRing, clock: Clock, tmp_path: Path) -> None:
    sink = WavSink(tmp_path / "a.wav", RATE, clock=clock)
    sink.begin(ring)
    ring.active = True
    ring.write(tone(160))
    for _ in range(4):
        clock.advance(0.01)
        sink.tick()
    ring.write(tone(1600))
    clock.advance(0.01)
    sink.tick()
    assert ring.total_read == 5 * 160
    assert ring.underruns == 0
    sink.stop()
    assert read_wav(tmp_path / "a.wav").min() > 0


def test_a_long_stall_is_an_underrun_and_becomes_silence(ring: PcmRing, clock: Clock, tmp_path: Path) -> None:
    sink = WavSink(tmp_path / "a.wav", RATE, clock=clock)
    sink.begin(ring)
    ring.active = True
    ring.write(tone(160))
    for _ in range(40):
        clock.advance(0.01)
        sink.tick()
    assert ring.underruns == 1
    ring.write(tone(1600))
    clock.advance(0.01)
    sink.tick()
    sink.stop()
    assert (read_wav(tmp_path / "a.wav") == 0).sum() > 0.25 * RATE


def test_a_process_that_was_stopped_does_not_rush_through_what_it_missed(ring: PcmRing, clock: Clock) -> None:
    sink = NullSink(RATE, clock=clock)
    sink.begin(ring)
    ring.active = True
    ring.write(tone(RATE))
    clock.advance(20.0)
    sink.tick()
    assert ring.total_read == RATE // 2
    assert sink.backlog_samples_dropped == 19.5 * RATE
    sink.stop()


def test_a_wav_begins_with_the_first_sound_and_ends_with_the_last(ring: PcmRing, clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sink = WavSink(path, RATE, clock=clock)
    sink.begin(ring)
    for second in range(3):
        if second == 1:
            ring.active = True
            ring.write(tone(1280))
            ring.active = False
        for _ in range(100):
            clock.advance(0.01)
            sink.tick()
    sink.stop()
    assert read_wav(path).tolist() == [round(0.5 * 32767)] * 1280


def test_a_pause_in_a_wav_has_its_true_length_up_to_ten_seconds(ring: PcmRing, clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sink = WavSink(path, RATE, clock=clock)
    sink.begin(ring)
    for pause in (1, 60):
        ring.write(tone(160))
        for _ in range(pause * 100):
            clock.advance(0.01)
            sink.tick()
    ring.write(tone(160))
    clock.advance(0.01)
    sink.tick()
    sink.stop()
    assert len(read_wav(path)) == pytest.approx((1 + 10) * RATE + 160, abs=400)


def test_a_wav_that_cannot_be_written_is_said_at_the_start(ring: PcmRing, tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="Cannot write"):
        WavSink(tmp_path / "none" / "a.wav", RATE).begin(ring)


def test_a_wav_into_which_no_sound_came_is_taken_away_again(ring: PcmRing, clock: Clock, tmp_path: Path) -> None:
    sink = WavSink(tmp_path / "a.wav", RATE, clock=clock)
    sink.begin(ring)
    assert (tmp_path / "a.wav").exists()
    clock.advance(0.5)
    sink.tick()
    sink.stop()
    sink.stop()
    assert list(tmp_path.iterdir()) == []
    assert sink.failure is None


def test_a_wav_that_cannot_be_finished_is_a_failure_and_no_exception_out_of_stop(
    ring: PcmRing, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = WavWriter.close

    def refuse(writer: WavWriter) -> None:
        close(writer)
        raise OutputFileError(f"Cannot write {writer.path}: Input/output error")

    sink = WavSink(tmp_path / "a.wav", RATE, clock=clock)
    sink.begin(ring)
    monkeypatch.setattr(WavWriter, "close", refuse)
    sink.stop()
    assert isinstance(sink.failure, SinkError)
    assert str(sink.failure).endswith("Input/output error; make room there or choose another file with --out")


def test_a_pipe_gets_s16le_and_silence_while_nothing_is_due(ring: PcmRing, clock: Clock) -> None:
    stream = io.BytesIO()
    sink = PipeSink(RATE, stream=stream, clock=clock)
    sink.begin(ring)
    clock.advance(0.01)
    sink.tick()
    ring.write(tone(160, -2.0))
    clock.advance(0.01)
    sink.tick()
    samples = np.frombuffer(stream.getvalue(), dtype="<i2")
    assert samples.tolist() == [0] * 160 + [-32767] * 160
    sink.stop()


def test_a_reader_that_left_is_a_sink_error(ring: PcmRing, clock: Clock) -> None:
    class Broken(io.BytesIO):
        def write(self, data: Any) -> int:
            raise BrokenPipeError

    sink = PipeSink(RATE, stream=Broken(), clock=clock)
    sink.begin(ring)
    clock.advance(0.01)
    with pytest.raises(SinkError, match="has gone"):
        sink.tick()
    sink.stop()


def test_the_thread_of_a_paced_sink_reports_what_ended_it(ring: PcmRing) -> None:
    class Failing(PacedSink):
        def idle(self, samples: int) -> None:
            raise SinkError("no")

    sink = Failing(RATE)
    sink.start(ring)
    assert sink._thread is not None
    sink._thread.join(5)
    assert isinstance(sink.failure, SinkError)
    sink.stop()


def test_the_thread_of_a_paced_sink_shows_that_it_gets_round_unless_its_reader_may_stop_it(ring: PcmRing) -> None:
    sink = NullSink(RATE)
    (part,) = sink.parts
    sink.start(ring)
    deadline = time.monotonic() + 5.0
    while part.turns() == 0:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    sink.stop()
    (part,) = PipeSink(RATE, stream=io.BytesIO()).parts
    assert part.turns() is None
