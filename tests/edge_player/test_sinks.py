"""Sinks paced by a timer, on a clock that stands still."""

from __future__ import annotations

import io
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_player.errors import SinkError
from edge_player.render.ring import PcmRing
from edge_player.sinks import NullSink, PacedSink, PipeSink, SoundDeviceSink, WavSink, open_sink
from edge_player.sinks import sound_device as sound_device_module
from edge_player.sinks.portaudio import find_output_device, list_output_devices

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


def test_out_chooses_the_sink(tmp_path: Path) -> None:
    assert isinstance(open_sink("null", sample_rate=RATE), NullSink)
    assert isinstance(open_sink("-", sample_rate=RATE), PipeSink)
    assert isinstance(open_sink(str(tmp_path / "a.wav"), sample_rate=RATE), WavSink)


# -- sound cards, on a PortAudio that is played by this test


class FakePortAudioError(Exception):
    pass


class FakeStream:
    latency = 0.05

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.active = False
        self.callback: Callable[..., None] = options["callback"]

    def start(self) -> None:
        self.active = True

    def close(self) -> None:
        self.active = False


def fake_portaudio(devices: list[dict[str, Any]]) -> SimpleNamespace:
    return SimpleNamespace(
        PortAudioError=FakePortAudioError,
        OutputStream=FakeStream,
        default=SimpleNamespace(device=(-1, 1)),
        query_devices=lambda: devices,
        query_hostapis=lambda: [{"name": "ALSA"}],
        _terminate=lambda: None,
        _initialize=lambda: None,
    )


MIC = {"name": "mic", "hostapi": 0, "max_output_channels": 0, "default_samplerate": 48000.0}
CARD = {"name": "USB Speaker", "hostapi": 0, "max_output_channels": 2, "default_samplerate": 48000.0}
HDMI = {"name": "HDMI", "hostapi": 0, "max_output_channels": 8, "default_samplerate": 44100.0}


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    fake = fake_portaudio([MIC, CARD, HDMI])
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


@pytest.mark.usefixtures("portaudio")
def test_cards_are_found_by_default_by_number_and_by_a_part_of_their_name() -> None:
    assert [device.name for device in list_output_devices()] == ["USB Speaker", "HDMI"]
    assert find_output_device(None).name == "USB Speaker"
    assert find_output_device("2").name == "HDMI"
    assert find_output_device("usb").index == 1
    with pytest.raises(SinkError, match="1: USB Speaker, 2: HDMI"):
        find_output_device("bluetooth")


def test_without_portaudio_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr("edge_player.sinks.portaudio.importlib.import_module", missing)
    with pytest.raises(SinkError, match="apt install libportaudio2"):
        open_sink("speaker", sample_rate=RATE)


@pytest.mark.usefixtures("portaudio")
def test_the_callback_copies_to_all_channels_and_fills_up_with_zeros() -> None:
    ring = PcmRing(4800)
    sink = SoundDeviceSink("usb")
    assert sink.sample_rate == 48000
    sink.start(ring)
    assert sink.latency_s == 0.05
    ring.active = True
    ring.write(tone(3))
    out = np.full((5, 2), 9.0, dtype=np.float32)
    sink._stream.callback(out, 5, None, False)
    assert out.tolist() == [[0.5, 0.5]] * 3 + [[0.0, 0.0]] * 2
    assert (ring.underruns, sink.callbacks) == (1, 1)
    sink.stop()
    sink.stop()


def test_a_card_that_vanishes_is_opened_again_when_it_is_back(
    portaudio: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound_device_module, "WATCH_S", 0.001)
    monkeypatch.setattr(sound_device_module, "REOPEN_S", (0.001, 0.002))
    sink = SoundDeviceSink("usb")
    ring = PcmRing(4800)
    ring.write(tone(100))
    sink.start(ring)
    first = sink._stream
    devices = portaudio.query_devices()
    portaudio.query_devices = lambda: [MIC]
    first.active = False
    wait_until(lambda: sink._stream is None)
    portaudio.query_devices = lambda: devices
    wait_until(lambda: sink.reopened == 1)
    assert sink._stream is not first
    assert ring.level == 0  # what waited is stale
    sink.stop()


@pytest.mark.usefixtures("portaudio")
def test_a_card_that_refuses_its_rate_is_a_sink_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: FakeStream) -> None:
        raise FakePortAudioError("invalid sample rate")

    monkeypatch.setattr(FakeStream, "start", refuse)
    with pytest.raises(SinkError, match="cannot be opened at 48000 Hz"):
        SoundDeviceSink("usb").start(PcmRing(10))


def wait_until(condition: Callable[[], bool]) -> None:
    import threading

    pause = threading.Event()
    for _ in range(2000):
        if condition():
            return
        pause.wait(0.002)
    raise AssertionError("it did not happen")
