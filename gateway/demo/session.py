"""`gateway demo`: broker, gateway and player as three processes on this machine, then the figures and the picture."""

from __future__ import annotations

import json
import logging
import math
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codec import CodecSpec, read_audio
from codec.comparison.picture import Take, draw_spectrograms
from gateway.config import CodecConfig, StreamConfig
from gateway.demo.broker import RunningBroker, start_broker
from gateway.demo.options import DemoOptions
from gateway.demo.processes import ChildProcess, wait_for
from gateway.demo.progress import Progress
from gateway.demo.quality import SCORE_RATE_HZ, align, stoi_score
from gateway.demo.report import DemoFigures, DemoReport, pcm_saving_percent, wire_kbps
from gateway.errors import DemoError, GatewayError
from gateway.run import open_encoder
from protocol.errors import MessageError
from protocol.service import PathOrName, Stats
from protocol.status import decode_status
from protocol.topics import Topics
from protocol.transport import BrokerConfig, Connection, Message

__all__ = ["run_demo"]

logger = logging.getLogger(__name__)

_STREAM = "demo"
_PLAYER_ID = "demo-player"
_GATEWAY_ID = "demo-gateway"
_ASSET = "demo_speech.flac"
_RESULT = "result.wav"
_PICTURE = "spectrograms.png"
_WRITTEN = (_RESULT, _PICTURE, "gateway.json", "player.json", "gateway.log", "player.log")
#: From the manifest to the first sample: the player loads its decoder in that time.
_START_DELAY_S = 3.0
_PLAYER_READY_S = 60.0
_MARGIN_S = 60.0
_ORIGINAL_COLOUR = "#f2b866"
_REBUILT_COLOUR = "#6cc7c1"


@dataclass(frozen=True, slots=True)
class _Run:
    """What a finished run left behind."""

    gateway: Stats
    player: Stats
    broker: str


def run_demo(options: DemoOptions, *, stop: threading.Event, progress: bool = False) -> DemoReport:
    """Send a clip from file to sound and back through real processes and a real broker, in real time.

    Writes result.wav, spectrograms.png and what each process counted and logged into `options.out`. Raises the codec's
    errors for a file or model that cannot be used before anything is started, and DemoError with the exit code of a
    process that failed. Nothing is left running, whatever happens.
    """
    stream = StreamConfig(
        name=_STREAM,
        link=options.link,
        qos=options.qos,
        frames_per_packet=options.frames_per_packet,
        layers=options.layers,
    )
    with ExitStack() as stack:
        source = options.source or stack.enter_context(as_file(files("gateway").joinpath("assets", _ASSET)))
        original = read_audio(source, SCORE_RATE_HZ)
        model = None if options.model is None else PathOrName(options.model)
        spec = open_encoder(CodecConfig(name=options.codec, model=model)).spec
        folder = _make_folder(options.out)
        result = folder / _RESULT
        bar = Progress("voxwire demo", enabled=progress)
        audio_s = len(original) / SCORE_RATE_HZ
        run = _run_processes(options, stream, source, folder, audio_s=audio_s, stop=stop, bar=bar)
        bar.say("scoring")
        rebuilt = read_audio(result, SCORE_RATE_HZ)
        aligned = align(original, rebuilt)
        figures = _figures(run, stream, spec, stoi=stoi_score(aligned))
        bar.say("drawing")
        picture = _draw(folder, aligned.reference, aligned.degraded, figures, spec, stream)
        bar.close()
    return DemoReport(figures=figures, result=result, picture=picture, link=stream.link, audio_s=audio_s)


def _make_folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
        for name in _WRITTEN:
            (path / name).unlink(missing_ok=True)  # a failed run must not leave the results of an earlier one
    except OSError as error:
        raise GatewayError(
            f"Cannot write results to {path}: {error.strerror}. Name another place with --out."
        ) from error
    return path.resolve()


def _run_processes(
    options: DemoOptions,
    stream: StreamConfig,
    source: Path,
    folder: Path,
    *,
    audio_s: float,
    stop: threading.Event,
    bar: Progress,
) -> _Run:
    bar.say("starting broker and player")
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="voxwire-demo-"))
        broker = start_broker(Path(scratch), prefer=options.broker)
        stack.callback(broker.stop)
        player_stats, gateway_stats = folder / "player.json", folder / "gateway.json"
        player = ChildProcess(
            "player",
            "edge_player",
            _player_arguments(options, broker.url, folder / _RESULT, player_stats),
            log=folder / "player.log",
        )
        with _player_presence(broker) as is_ready:
            stack.enter_context(player)
            _wait_until_ready(player, is_ready, stop)
        sender = ChildProcess(
            "gateway",
            "gateway",
            _gateway_arguments(options, stream, broker.url, source, gateway_stats),
            log=folder / "gateway.log",
        )
        stack.enter_context(sender)
        profile = stream.profile
        whole_s = _START_DELAY_S + audio_s + profile.playout_delay_ms / 1000
        with bar.running(whole_s):
            wait_for(sender, others=[player], timeout_s=whole_s + _MARGIN_S, stop=stop)
            wait_for(player, others=[], timeout_s=profile.playout_delay_ms / 1000 + _MARGIN_S, stop=stop)
        return _Run(_read_stats(gateway_stats), _read_stats(player_stats), broker.name)


def _player_arguments(options: DemoOptions, url: str, result: Path, stats: Path) -> list[str]:
    arguments = ["run", "--stream", _STREAM, "--broker", url, "--out", str(result), "--id", _PLAYER_ID]
    arguments += ["--wait", "--exit-on-stop", "--stats-file", str(stats)]
    if options.codec is not None:
        arguments += ["--codec", options.codec]
    if options.model is not None:
        arguments += ["--model", str(options.model)]
    return arguments


def _gateway_arguments(options: DemoOptions, stream: StreamConfig, url: str, source: Path, stats: Path) -> list[str]:
    profile = stream.profile
    arguments = ["run", "--source", str(source), "--stream", _STREAM, "--broker", url, "--id", _GATEWAY_ID]
    arguments += ["--link", stream.link, "--frames-per-packet", str(profile.frames_per_packet)]
    arguments += ["--qos", str(profile.qos), "--start-delay", f"{_START_DELAY_S:g}s", "--stats-file", str(stats)]
    if stream.layers is not None:
        arguments += ["--layers", str(stream.layers)]
    if options.codec is not None:
        arguments += ["--codec", options.codec]
    if options.model is not None:
        arguments += ["--model", str(options.model)]
    return arguments


@contextmanager
def _player_presence(broker: RunningBroker) -> Iterator[Callable[[], bool]]:
    """A connection that watches the player's status, and a question: has it said that it is there?"""
    said: list[str] = []

    def on_status(message: Message) -> None:
        try:
            said.append(decode_status(message.payload).state)
        except MessageError as error:
            logger.debug("status of the player: %s", error)

    with Connection(BrokerConfig(url=broker.url)) as connection:
        connection.wait_connected(_PLAYER_READY_S)
        connection.subscribe(Topics().edge_status(_PLAYER_ID), 1, on_status)
        yield lambda: any(state in ("waiting", "online") for state in said)


def _wait_until_ready(player: ChildProcess, is_ready: Callable[[], bool], stop: threading.Event) -> None:
    deadline = time.monotonic() + _PLAYER_READY_S
    while not is_ready():
        if player.poll() is not None:
            raise player.error()
        if stop.wait(0.05):
            raise DemoError("Stopped before the end; no result was written.")
        if time.monotonic() > deadline:
            raise DemoError(f"The player was not ready within {_PLAYER_READY_S:.0f} s.")


def _read_stats(path: Path) -> Stats:
    try:
        values: Stats = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DemoError(f"A process of the demo left no statistics at {path.name}: {error}") from error
    return values


def _figures(run: _Run, stream: StreamConfig, spec: CodecSpec, *, stoi: float | None) -> DemoFigures:
    down_kbps, up_kbps = wire_kbps(run.player, "in"), wire_kbps(run.player, "out")
    return DemoFigures(
        frames_encoded=int(run.gateway["frames_encoded"]),
        frames_published=int(run.gateway["frames_published"]),
        frames_due=int(run.player["frames_due"]),
        frames_played=int(run.player["frames_played"]),
        frames_concealed=int(run.player["frames_concealed"]),
        frames_skipped=int(run.player["frames_skipped"]),
        wire_down_kbps=round(down_kbps, 3),
        wire_up_kbps=round(up_kbps, 3),
        saving_percent=round(pcm_saving_percent(down_kbps + up_kbps, token_kbps=_token_kbps(spec, stream)), 3),
        latency_ms_p50=round(float(run.player["latency_ms_p50"]), 1),
        latency_ms_p95=round(float(run.player["latency_ms_p95"]), 1),
        encode_rtf=round(float(run.gateway["encode_rtf"]), 5),
        decode_rtf=round(float(run.player["decode_rtf"]), 5),
        stoi=None if stoi is None else round(stoi, 4),
        broker=run.broker,
        codec=spec.name,
    )


def _token_kbps(spec: CodecSpec, stream: StreamConfig) -> float:
    """The bare codes on the wire: whole bytes in each packet."""
    frames = stream.profile.frames_per_packet
    packet_bytes = math.ceil((stream.layers or spec.num_layers) * spec.bits_per_code * frames / 8)
    return packet_bytes * 8 / (frames * spec.frame_duration_s) / 1000


def _draw(
    folder: Path,
    original: NDArray[np.float32],
    rebuilt: NDArray[np.float32],
    figures: DemoFigures,
    spec: CodecSpec,
    stream: StreamConfig,
) -> Path | None:
    path = folder / _PICTURE
    total_kbps = figures.wire_down_kbps + figures.wire_up_kbps
    score = "" if figures.stoi is None else f"   ·   STOI {figures.stoi:.2f}"
    takes = (
        Take(original, "Original", "speech as recorded   ·   384 kbit/s as 24 kHz PCM", _ORIGINAL_COLOUR),
        Take(
            rebuilt,
            "Rebuilt from tokens",
            f"{spec.name}, {_token_kbps(spec, stream):.1f} kbit/s of tokens   ·   "
            f"{total_kbps:.1f} kbit/s on the wire{score}",
            _REBUILT_COLOUR,
        ),
    )
    heading = f"Speech through an MQTT broker at {total_kbps:.1f} kbit/s, {figures.saving_percent:.1f} % saved"
    drawn = draw_spectrograms(path, takes, rate=SCORE_RATE_HZ, heading=heading)
    return path if drawn else None
