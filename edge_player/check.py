"""`edge-player check` and `devices`: try every part, say what is wrong and what to do."""

from __future__ import annotations

import importlib.metadata
import json

import numpy as np

from edge_player.config import PlayerConfig
from edge_player.render.decoder import OnnxFrameDecoder
from edge_player.sinks import open_sink
from edge_player.sinks.portaudio import list_output_devices
from protocol.service import CheckReport
from protocol.transport import probe_broker

TRIAL_FRAMES = 25
"""Two seconds of audio decoded to see how fast this machine is."""


def check_player(config: PlayerConfig) -> CheckReport:
    """Engine, decoder and its speed, sink, broker; each as `run` would use it. Nothing is played, no file is made."""
    report = CheckReport()
    sample_rate = 16000

    def decoder() -> str:
        nonlocal sample_rate
        options = config.decoder
        with OnnxFrameDecoder(
            codec=options.codec, model=options.model, provider=options.provider, threads=options.threads
        ) as loaded:
            sample_rate = loaded.spec.sample_rate
            for _ in range(TRIAL_FRAMES):
                loaded.decode(np.zeros(loaded.spec.num_layers, dtype=np.int64))
            asked = "" if loaded.active_provider == loaded.requested_provider else f", not {loaded.requested_provider}"
            return (
                f"{loaded.spec.name}, weights {loaded.spec.weights_sha256[:12]}…, on {loaded.active_provider}{asked}, "
                f"real-time factor {loaded.real_time_factor:.3f}"
            )

    report.add("engine", _engine)
    report.add("decoder", decoder)
    report.add(
        "sink", lambda: open_sink(config.sink.out, sample_rate=sample_rate, device=config.sink.device).description
    )
    report.add("broker", lambda: probe_broker(config.broker))
    return report


def _engine() -> str:
    installed = []
    for name in ("onnxruntime", "onnxruntime-gpu"):
        try:
            installed.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    if len(installed) > 1:
        # They write the same files: whichever came last is what runs.
        return f"{' and '.join(installed)} are both installed and overwrite each other: uninstall both, install one"
    return installed[0] if installed else "ONNX Runtime without package data"


def describe_report(report: CheckReport) -> dict[str, object]:
    """For JSON: each part by its name."""
    parts = {step.name: {"ok": step.ok, "message": step.detail} for step in report.steps}
    return {"ok": report.exit_code == 0, "exit_code": report.exit_code, **parts}


def describe_devices(*, as_json: bool) -> str:
    """The sound cards that can play. Raises SinkError where PortAudio is missing."""
    devices = list_output_devices()
    if as_json:
        return json.dumps(
            [
                {
                    "index": device.index,
                    "name": device.name,
                    "host_api": device.host_api,
                    "channels": device.channels,
                    "rate": device.rate,
                    "default": device.is_default,
                }
                for device in devices
            ]
        )
    if not devices:
        return "no sound card that can play"
    return "\n".join(
        f"{'*' if device.is_default else ' '} {device.index}: {device.name} ({device.host_api}, "
        f"{device.channels} channels, {device.rate} Hz)"
        for device in devices
    )
