"""PortAudio, loaded when somebody wants a sound card: the package works without it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from edge_player.errors import SinkError


@dataclass(frozen=True, slots=True)
class OutputDevice:
    """A sound card that can play. `rate` in Hz is its own preferred one."""

    index: int
    name: str
    host_api: str
    channels: int
    rate: int
    is_default: bool


def load_portaudio() -> Any:
    """The `sounddevice` module. Raises SinkError that says what to install."""
    try:
        return importlib.import_module("sounddevice")
    except ModuleNotFoundError as error:
        raise SinkError(
            "Playing on a sound card needs the Python package sounddevice: pip install sounddevice"
        ) from error
    except OSError as error:
        raise SinkError(
            "Playing on a sound card needs the PortAudio library, which is not installed: apt install libportaudio2 "
            "(or play to a file with --out FILE.wav, to a program with --out -)"
        ) from error


def list_output_devices() -> list[OutputDevice]:
    """All cards that can play. Raises SinkError."""
    sounddevice = load_portaudio()
    try:
        devices, apis = sounddevice.query_devices(), sounddevice.query_hostapis()
        default = sounddevice.default.device[1]
    except sounddevice.PortAudioError as error:
        raise SinkError(f"PortAudio cannot list the sound cards: {error}") from error
    return [
        OutputDevice(
            index=index,
            name=str(device["name"]),
            host_api=str(apis[device["hostapi"]]["name"]),
            channels=int(device["max_output_channels"]),
            rate=round(device["default_samplerate"]),
            is_default=index == default,
        )
        for index, device in enumerate(devices)
        if device["max_output_channels"] > 0
    ]


def find_output_device(wanted: str | None) -> OutputDevice:
    """The card with that index or a part of that name; None: the default one. Raises SinkError naming what there is."""
    devices = list_output_devices()
    if not devices:
        raise SinkError("There is no sound card that can play: plug one in, or use --out FILE.wav")
    if wanted is None:
        return next((device for device in devices if device.is_default), devices[0])
    for device in devices:
        if wanted in (str(device.index), device.name):
            return device
    for device in devices:
        if wanted.lower() in device.name.lower():
            return device
    known = ", ".join(f"{device.index}: {device.name}" for device in devices)
    raise SinkError(f"No sound card is called {wanted!r}; there are {known}")
