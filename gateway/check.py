"""`gateway check` and `gateway devices`: what would fail, said before it matters."""

from __future__ import annotations

import dataclasses
import json
import threading
import time

import numpy as np

from gateway.config import GatewayConfig
from gateway.run import open_encoder
from gateway.sources import list_input_devices, select_source
from protocol.service import CheckReport
from protocol.transport import probe_broker

__all__ = ["check_gateway", "describe_devices"]

_TIMED_FRAMES = 25
_DEFAULT_RATE_HZ = 16000  # for opening the source where no encoder says otherwise


def check_gateway(config: GatewayConfig) -> CheckReport:
    """Try encoder, source and broker one by one; never raises for what it finds."""
    report = CheckReport()
    rate_hz = _DEFAULT_RATE_HZ

    def encoder() -> str:
        nonlocal rate_hz
        loaded = open_encoder(config.codec)
        rate_hz = loaded.spec.sample_rate
        frame = np.zeros((1, loaded.spec.frame_size), dtype=np.float32)
        with loaded.session() as session:
            session.encode(frame)
            begun = time.perf_counter()
            for _ in range(_TIMED_FRAMES):
                session.encode(frame)
            frame_s = (time.perf_counter() - begun) / _TIMED_FRAMES
        provider = getattr(loaded, "active_provider", config.codec.engine)
        return (
            f"{loaded.spec.name}, {loaded.spec.bit_rate / 1000:.1f} kbit/s, on {provider}: {frame_s * 1000:.1f} ms "
            f"a frame, real-time factor {frame_s / loaded.spec.frame_duration_s:.3f}"
        )

    def source() -> str:
        if not config.source.target:
            return "none given, nothing tried"
        chosen = select_source(config.source, sample_rate=rate_hz)
        with chosen:
            if config.source.target != "-":  # what is read from a pipe is gone
                next(iter(chosen.blocks(threading.Event())))
        return chosen.description

    report.add("encoder", encoder)
    report.add("source", source)
    report.add("broker", lambda: probe_broker(config.broker))
    return report


def describe_devices(*, as_json: bool) -> str:
    """The microphones as a table or JSON. Raises MicrophoneError (exit 74) where PortAudio is missing."""
    devices = list_input_devices()
    if as_json:
        return json.dumps([dataclasses.asdict(device) for device in devices])
    if not devices:
        return "No microphone found. Plug one in, or start the sound server."
    lines = [
        f"{'*' if device.default else ' '} {device.index:>3}  {device.name:<40.40} {device.channels} ch "
        f"{device.sample_rate:>6} Hz  {device.host_api}"
        for device in devices
    ]
    return "\n".join([*lines, "* default; choose another with: gateway run --source mic --input-device NAME"])
