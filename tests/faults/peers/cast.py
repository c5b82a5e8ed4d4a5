"""Who plays: for each of those compared a server, a source beside it and a player behind the link."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults.broker import FAR_PORT, FaultyBroker
from tests.faults.peers.program import Program
from tests.faults.peers.recording import PcmFormat
from tests.faults.rows import Row
from tests.faults.tun import NEAR_ADDRESS
from tests.faults.victims import Served
from tests.integration.toy_codec import save_toy_codec

OURS: Final = PcmFormat(16000, 1)
SNAPCAST: Final = PcmFormat(48000, 2)
"""The only one that its Opus takes."""

_THIN: Final = ("opus:BITRATE:16000", 60)
_STOCK: Final = ("flac", 20)
"""Codec and milliseconds a message: as thin as speech allows, and what Debian's package is set to."""


@dataclass(frozen=True, slots=True)
class Cast:
    """server: what the faults of the broker hit. source: what reads the live sound, with Snapcast the server itself.
    starting: what is to be started, in that order.
    """

    server: Served
    source: Program
    player: Program
    starting: tuple[Program, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a cast plays. far: goes before a command to run it behind the link. fifo: of the live sound."""

    row: Row
    folder: Path
    fifo: Path
    far: Sequence[str]


@dataclass(frozen=True, slots=True)
class Peer:
    """One of those compared: what its source reads and its player writes, and who plays.

    needs: commands without which it is not run.
    """

    name: str
    pcm: PcmFormat
    cast: Callable[[Stage], Cast]
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> str | None:
        """Which of the commands is not here."""
        return next((name for name in self.needs if shutil.which(name) is None), None)


def _cast_ours(stage: Stage) -> Cast:
    model = _toy_model(stage)
    broker = FaultyBroker(stage.folder, NEAR_ADDRESS)
    url = f"mqtt://{NEAR_ADDRESS}:{FAR_PORT}"
    ear = [*_module("edge_player"), "run", "--wait", "--out", "-", "--model", str(model / "decoder.onnx")]
    mouth = [*_module("gateway"), "run", "--wait", "--source", "-", "--live", "--model", str(model)]
    player = [*stage.far, *ear, "--broker", url, "--id", "ear"]
    source = [*mouth, "--link", stage.row.link, "--broker", broker.url, "--id", "mouth"]
    return _with_broker(stage, broker, source, player)


def _cast_naive(stage: Stage, qos: int) -> Cast:
    """On Mosquitto as it comes: the limits of ours let three messages wait for an answer, and here each is 80 ms."""
    model = _toy_model(stage)
    broker = FaultyBroker(stage.folder, NEAR_ADDRESS, settings={})
    near, far = ["127.0.0.1", str(broker.port)], [NEAR_ADDRESS, str(FAR_PORT)]
    source = [*_module("tests.faults.peers.naive_publisher"), *near, str(qos), str(model / "encoder.onnx")]
    player = [*_module("tests.faults.peers.naive_receiver"), *far, str(qos), str(model / "decoder.onnx")]
    return _with_broker(stage, broker, source, [*stage.far, *player])


def _with_broker(
    stage: Stage, broker: FaultyBroker, source_command: Sequence[str], player_command: Sequence[str]
) -> Cast:
    """The player starts first, as somebody who listens already."""
    player = Program("player", player_command, folder=stage.folder, recorded=True)
    source = Program("source", source_command, folder=stage.folder, stdin=stage.fifo)
    return Cast(broker, source, player, (player, source))


def _cast_snapcast(stage: Stage, codec: str, chunk_ms: int) -> Cast:
    settings = stage.folder / "snapserver.conf"
    settings.write_text(
        f"[server]\ndatadir = {stage.folder}\n[http]\nenabled = false\n[tcp]\nenabled = false\n"
        f"[stream]\nsource = pipe://{stage.fifo}?name=default&mode=read\ncodec = {codec}\nchunk_ms = {chunk_ms}\n"
        f"sampleformat = {SNAPCAST.rate}:16:{SNAPCAST.channels}\n[logging]\nsink = stderr\n"
    )
    client = ["snapclient", "--host", NEAR_ADDRESS, "--hostID", "ear", "--logsink", "stderr"]
    server = Program("server", ["snapserver", "--config", str(settings)], folder=stage.folder)
    player = Program(
        "player", [*stage.far, *client, "--player", "file:filename=stdout"], folder=stage.folder, recorded=True
    )
    return Cast(server, server, player, (server, player))


def _toy_model(stage: Stage) -> Path:
    folder = stage.folder / "toy"
    folder.mkdir()
    return save_toy_codec(folder)


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


_SNAPCAST_NEEDS: Final = ("snapserver", "snapclient")
PEERS: Final = (
    Peer("voxwire", OURS, _cast_ours),
    Peer("naive", OURS, lambda stage: _cast_naive(stage, 0)),
    Peer("naive-qos1", OURS, lambda stage: _cast_naive(stage, 1)),
    Peer("snapcast", SNAPCAST, lambda stage: _cast_snapcast(stage, *_THIN), _SNAPCAST_NEEDS),
    Peer("snapcast-stock", SNAPCAST, lambda stage: _cast_snapcast(stage, *_STOCK), _SNAPCAST_NEEDS),
)


def find_peer(name: str) -> Peer:
    """By its name; KeyError where there is none."""
    return {peer.name: peer for peer in PEERS}[name]
