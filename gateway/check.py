"""`gateway check` and `gateway devices`: what would fail, said before it matters."""

from __future__ import annotations

import dataclasses
import secrets
import threading

import msgpack
import numpy as np

from codec.errors import AddressError, SoundCardError
from codec.load import device_of
from codec.session import Encoder
from gateway.conditioning import ClippingDetector, LevelTracker
from gateway.config import GatewayConfig
from gateway.encoder_worker import FASTER
from gateway.errors import MicrophoneError, SourceError
from gateway.levels import level_finding
from gateway.run import open_encoder
from gateway.sources import AudioSource, select_source
from gateway.tiers import cut_tiers
from gateway.voice_activity import VoiceActivity
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
from protocol.transport import broker_finding, permissions_finding

__all__ = ["check_gateway"]

LISTEN_S = 1.0
PATIENCE_S = 5.0
"""A sound server may take a second to deliver its first block, a radio station longer."""

_DEFAULT_RATE_HZ = 16000  # for opening the source where no encoder says otherwise
_NO_EVENT = 127  # a kind that SPEC.md gives to nobody: players ignore it


def check_gateway(config: GatewayConfig) -> CheckReport:
    """Try engine, encoder and its speed, source, broker and permissions, one by one; never raises for what it finds."""
    report = CheckReport()
    encoder: Encoder | None = None

    def load() -> Finding:
        nonlocal encoder
        encoder = open_encoder(config.codec)
        cut_tiers(config.stream, codec=encoder.spec.name, num_layers=encoder.spec.num_layers)
        return _encoder_finding(encoder)

    report.add("engine", engine_finding)
    report.add("encoder", load)
    if encoder is not None:
        report.add("speed", lambda: _speed(encoder))
    rate_hz = _DEFAULT_RATE_HZ if encoder is None else encoder.spec.sample_rate
    report.add("source", lambda: _source(config, rate_hz))
    if config.stream.silence == "on":
        report.add("pauses", lambda: _pauses(rate_hz))
    if report.add("broker", lambda: broker_finding(config.broker)):
        report.add("permissions", lambda: _permissions(config))
    return report


def _encoder_finding(encoder: Encoder) -> Finding:
    spec = encoder.spec
    rate = f"{spec.bit_rate / 1000:.1f} kbit/s"
    return Finding(f"{spec.name}, weights {spec.weights_sha256[:12]}…, {rate}, on {device_of(encoder)}")


def _speed(encoder: Encoder) -> Finding:
    frame = np.zeros((1, encoder.spec.frame_size), dtype=np.float32)
    with encoder.session() as session:
        session.encode(frame)  # the first one also makes plans and buffers
        durations = time_frames(lambda: session.encode(frame))
    return speed_finding(durations, encoder.spec.frame_duration_s, remedy=FASTER)


def _pauses(rate_hz: int) -> Finding:
    """Whether there is somebody who hears who speaks."""
    VoiceActivity(rate_hz).speaks(np.zeros(round(rate_hz / 10), dtype=np.float32))
    return Finding("voice activity is detected: nothing is sent while nobody speaks")


def _source(config: GatewayConfig, rate_hz: int) -> Finding:
    if config.source.target == "-":
        return Finding("standard input, nothing read: what is read from a pipe is gone", "note")
    if config.source.target:
        return _listen(select_source(config.source, sample_rate=rate_hz, microphone=config.microphone), rate_hz)
    try:
        target = dataclasses.replace(config.source, target="mic")
        found = _listen(select_source(target, sample_rate=rate_hz, microphone=config.microphone), rate_hz)
    except (AddressError, MicrophoneError, SoundCardError, SourceError) as error:
        return Finding(f"none given; no microphone either: {error}", "note", "name one with --source")
    return dataclasses.replace(found, detail=f"none given, so the microphone was tried: {found.detail}")


def _listen(source: AudioSource, rate_hz: int) -> Finding:
    """Take the first second. Raises what opening the source raises, and SourceError where nothing comes."""
    stop = threading.Event()
    patience = threading.Timer(PATIENCE_S, stop.set)
    patience.daemon = True
    level, clipping = LevelTracker(), ClippingDetector()
    heard = 0
    with source:
        patience.start()
        try:
            for block in source.blocks(stop):
                counted = block.clipped_samples  # None where the source did not look
                clipped = clipping.count(block.samples) if counted is None else counted
                level.add(block.samples, clipped=clipped > 0)
                heard += len(block.samples)
                if heard >= LISTEN_S * rate_hz:
                    stop.set()  # the source ends by itself
        finally:
            patience.cancel()
    if not heard:
        raise SourceError(f"{source.description} gave no sound within {PATIENCE_S:.0f} s: expected audio at once.")
    return level_finding(level.take(), rate_hz, live=source.live, what=source.description)


def _permissions(config: GatewayConfig) -> Finding:
    """May this login publish what a run publishes? With messages that every player and monitor ignores."""
    topics = Topics(config.stream.base)
    gateway_id = config.run.id or device_id("gw")
    nothing = msgpack.packb([_NO_EVENT, secrets.token_bytes(8)])
    # Session 0 is older than any other: whoever knows this gateway's true status keeps it.
    status = StatusMessage("gateway", gateway_id, "waiting", 0, reason="tried by gateway check")
    return permissions_finding(
        config.broker,
        publish={
            **{topics.tokens(config.stream.name, tier): nothing for tier in range(len(config.stream.tiers or (0,)))},
            topics.event(config.stream.name): nothing,
            topics.gateway_status(gateway_id): encode_status(status),
        },
    )
