"""A PortAudio that is played by the tests: cards, refusals and streams as they like."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from codec.audio.cards import portaudio as portaudio_module


class FakePortAudioError(Exception):
    """As sounddevice's: text, code, (host API, host code, host text)."""


INVALID_RATE = FakePortAudioError("Error opening OutputStream: Invalid sample rate", -9997)
INVALID_CHANNELS = FakePortAudioError("Error opening OutputStream: Invalid number of channels", -9998)
BUSY = FakePortAudioError("Error opening OutputStream: Device unavailable", -9985)


class FakeStream:
    """A stream that calls back when the test says so."""

    latency = 0.05

    def __init__(self, owner: FakePortAudio, options: dict[str, Any]) -> None:
        self.owner = owner
        self.options = options
        self.samplerate = float(options["samplerate"])
        self.channels = options["channels"]
        self.callback: Callable[..., None] = options["callback"]
        self.started = self.closed = False

    def start(self) -> None:
        if self.owner.start_error is not None:
            raise self.owner.start_error
        self.started = True

    def close(self) -> None:
        if self.owner.close_error is not None:
            raise self.owner.close_error
        self.closed = True
        self.options["finished_callback"]()

    def vanish(self) -> None:
        self.options["finished_callback"]()


class FakePortAudio(SimpleNamespace):
    """The little of the module `sounddevice` that is used. `plugged` is seen after the next start of PortAudio."""

    PortAudioError = FakePortAudioError

    def __init__(self, devices: list[dict[str, Any]]) -> None:
        super().__init__()
        self.devices = self.plugged = devices
        self.apis = [{"name": "ALSA"}, {"name": "Windows WASAPI"}, {"name": "Core Audio"}]
        self.default = SimpleNamespace(device=(0, 1))
        self.refuse: Callable[[dict[str, Any]], FakePortAudioError | None] = lambda options: None
        self.start_error: FakePortAudioError | None = None
        self.close_error: Exception | None = None
        self.streams: list[FakeStream] = []
        self.starts = 0

    def query_devices(self) -> list[dict[str, Any]]:
        return self.devices

    def query_hostapis(self) -> list[dict[str, Any]]:
        return self.apis

    def check_output_settings(self, **options: Any) -> None:
        error = self.refuse(options)
        if error is not None:
            raise error

    check_input_settings = check_output_settings

    def InputStream(self, **options: Any) -> FakeStream:
        self.check_output_settings(**options)
        self.streams.append(FakeStream(self, options))
        return self.streams[-1]

    OutputStream = InputStream

    def WasapiSettings(self, **options: Any) -> dict[str, Any]:
        return options

    def _terminate(self) -> None:
        self.devices = []

    def _initialize(self) -> None:
        self.starts += 1
        self.devices = self.plugged


def device(name: str, *, inputs: int = 0, outputs: int = 0, rate: float = 48000.0, api: int = 0) -> dict[str, Any]:
    """As PortAudio describes one."""
    return {
        "name": name,
        "hostapi": api,
        "max_input_channels": inputs,
        "max_output_channels": outputs,
        "default_samplerate": rate,
    }


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    """Microphone 0, USB speaker 1, a mixer 2, an eight-channel card 3."""
    fake = FakePortAudio(
        [
            device("USB Microphone: Audio (hw:1,0)", inputs=1),
            device("USB Speaker: Audio (hw:2,0)", outputs=2, rate=44100.0),
            device("default", inputs=32, outputs=32),
            device("Studio: Out (hw:3,0)", outputs=8, rate=96000.0),
        ]
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr(portaudio_module, "_open_streams", 0)
    monkeypatch.setattr(portaudio_module, "_list_is_stale", False)
    return fake
