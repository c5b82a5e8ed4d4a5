"""`edge-player check` and `devices`: try every part, say what is wrong and what to do."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from codec.spec import CodecSpec
from edge_player.config import PlayerConfig
from edge_player.errors import SinkError
from edge_player.intake.epoch_plan import check_playable
from edge_player.render.decoder import FASTER, OnnxFrameDecoder
from edge_player.render.volume import Volume
from edge_player.sinks import open_sink
from edge_player.tone import TONE_HZ, TONE_S, make_tone, play_through
from protocol.entropy import EntropyTables
from protocol.errors import ManifestError
from protocol.manifest import decode_manifest
from protocol.service import (
    CheckReport,
    Finding,
    device_id,
    engine_finding,
    speed_finding,
    time_frames,
)
from protocol.status import StatusMessage, encode_status
from protocol.topics import Topics
from protocol.transport import broker_finding, permissions_finding, retained_message

__all__ = ["check_player"]

SILENCE_S = 0.2
"""Enough to see that a card takes sound, when no tone is wanted."""

MANIFEST_S = 2.0
"""A retained manifest comes with the first answer of the broker; a slow link may take this long."""

_DEFAULT_RATE_HZ = 16000  # for the sink where no decoder says otherwise


def check_player(config: PlayerConfig, *, tone: bool = False) -> CheckReport:
    """Engine, decoder and its speed, sink, broker, permissions, stream; each as `run` would use it.

    tone: play one second of it through the sound card; else the card gets a moment of silence. No file is made.
    """
    report = CheckReport()
    spec: CodecSpec | None = None
    tables: EntropyTables | None = None
    options = config.decoder
    report.add("engine", engine_finding)

    def decoder() -> Finding:
        nonlocal spec, tables
        with OnnxFrameDecoder(
            codec=options.codec,
            model=options.model,
            provider=options.provider,
            threads=options.threads,
            frames_per_step=options.frames_per_step,
        ) as loaded:
            spec, tables, frames = loaded.spec, loaded.tables, options.frames_per_step
            codes = np.zeros((spec.num_layers, frames), dtype=np.int64)
            durations.extend(step / frames for step in time_frames(lambda: loaded.decode(codes)))
            return _decoder_finding(loaded)

    durations: list[float] = []
    if report.add("decoder", decoder) and spec is not None:
        frame_s = spec.frame_duration_s
        report.add("speed", lambda: speed_finding(durations, frame_s, remedy=FASTER))
    rate_hz = _DEFAULT_RATE_HZ if spec is None else spec.sample_rate
    report.add("sink", lambda: _sink(config, rate_hz, tone=tone))
    if report.add("broker", lambda: broker_finding(config.broker)):
        report.add("permissions", lambda: _permissions(config))
        report.add("stream", lambda: _stream(config, spec, tables))
    return report


def _decoder_finding(decoder: OnnxFrameDecoder) -> Finding:
    spec = decoder.spec
    tables = "no entropy tables" if decoder.tables is None else f"entropy tables {decoder.tables.fingerprint}"
    return Finding(f"{spec.name}, weights {spec.weights_sha256[:12]}…, {tables}, on {decoder.active_provider}")


def _sink(config: PlayerConfig, rate_hz: int, *, tone: bool) -> Finding:
    out = config.sink.out
    if out == "speaker":
        return _sound_card(config, rate_hz, tone=tone)
    needless = "; the test tone is for a sound card" if tone else ""
    if out == "null":
        return Finding(f"nowhere: nothing will be heard{needless}", "note")
    if out == "-":
        return Finding(f"standard output (s16le, mono, {rate_hz} Hz), nothing written{needless}", "note")
    return Finding(f"{_writable(Path(out))}{needless}")


def _sound_card(config: PlayerConfig, rate_hz: int, *, tone: bool) -> Finding:
    sink = open_sink(config.sink, sample_rate=rate_hz)
    rate = sink.sample_rate
    volume = Volume(config.playout.volume, mute=config.playout.mute)
    sound = make_tone(rate) if tone else np.zeros(round(SILENCE_S * rate), dtype=np.float32)
    latency_s = play_through(sink, volume.apply(sound, rate))
    figures = {"sample_rate": rate, "latency_ms": round(latency_s * 1000, 1)}
    if config.playout.mute or config.playout.volume == 0:
        setting = "playout.mute is on" if config.playout.mute else "playout.volume is 0"
        return Finding(
            f"{sink.description}: {setting}, a stream would not be heard",
            "warning",
            "take it away to be heard: see `config print` for where it comes from",
            figures=figures,
        )
    if not tone:
        return Finding(f"{sink.description}: takes sound; --tone plays one that you can hear", figures=figures)
    return Finding(
        f"{sink.description}: played {TONE_S:.0f} s of {TONE_HZ:.0f} Hz. Not heard? Turn the system's volume up "
        "(alsamixer, pavucontrol), or name another card with --output-device: edge-player devices",
        figures=figures,
    )


def _writable(path: Path) -> str:
    """Raises SinkError where a file could not be made there."""
    folder = path.parent
    if path.is_dir():
        raise SinkError(f"{path} is a directory, expected a file to write: choose another with --out")
    if not folder.is_dir():
        raise SinkError(f"{path} cannot be written: there is no directory {folder}; make it, or choose another --out")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise SinkError(f"{path} cannot be written: permission denied; choose another with --out")
    return f"{path} can be written" + (", and what it holds now will be gone" if path.exists() else "")


def _permissions(config: PlayerConfig) -> Finding:
    """May this login read the stream and say how it is? With a status older than any true one."""
    topics = Topics(config.stream.base)
    stream, edge_id = config.stream.name, config.run.id or device_id("edge")
    status = StatusMessage("edge", edge_id, "waiting", 0, reason="tried by edge-player check")
    return permissions_finding(
        config.broker,
        publish={topics.edge_status(edge_id): encode_status(status)},
        subscribe=[topics.manifest(stream), topics.event(stream), topics.tokens(stream)],
    )


def _stream(config: PlayerConfig, spec: CodecSpec | None, tables: EntropyTables | None) -> Finding:
    """Is the stream there, and is it one that this decoder plays? Raises ModelMismatchError (76)."""
    name = config.stream.name
    payload = retained_message(config.broker, Topics(config.stream.base).manifest(name), wait_s=MANIFEST_S)
    if not payload:
        return Finding(
            f"none called {name} is announced now",
            "note",
            "start its gateway; if it runs: compare --stream and --base, and see that this login may read them",
        )
    try:
        manifest = decode_manifest(payload)
    except ManifestError as error:
        return Finding(
            f"the manifest of {name} cannot be read: {error}", "warning", "update this player, or its gateway"
        )
    if spec is not None:
        check_playable(manifest, spec, tables)
    return Finding(f"{name} from {manifest.gateway_id}, {manifest.codec.name}: this player has its decoder")
