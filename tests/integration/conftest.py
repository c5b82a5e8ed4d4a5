"""What integration tests share: codecs, brokers, both ends as processes, and streams that several tests look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codec import CodecSpec
from gateway.demo.broker import RunningBroker, start_broker
from tests.integration.nano_path import NanoRun, NanoStream, Start, play_through, processes, start_mosquitto
from tests.integration.toy_codec import TOY, save_toy_codec
from tests.integration.watcher import Watcher
from tests.test_architecture import BLOCK_TORCH

MakeModel = Callable[..., Path]
MakeStream = Callable[[str], NanoStream]

WAN_S = 8.0  # 20 packets of five frames
LAN_S = 6.0


@pytest.fixture(scope="session")
def make_codec(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """`make_codec(spec=...)`: a folder with encoder.onnx and decoder.onnx."""

    def make(spec: CodecSpec = TOY) -> Path:
        return save_toy_codec(tmp_path_factory.mktemp("toy-codec"), spec)

    return make


@pytest.fixture(scope="session")
def toy_codec(make_codec: MakeModel) -> Path:
    return make_codec()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    """A broker of its own for one test."""
    with start_broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def hum(tmp_path: Path) -> Callable[[float], Path]:
    """Writes a slow signal of so many seconds that the toy codec carries well: `hum(seconds)`."""

    def write(seconds: float) -> Path:
        path = tmp_path / "hum.wav"
        times = np.arange(int(seconds * TOY.sample_rate)) / TOY.sample_rate
        sound = 0.4 * np.sin(2 * np.pi * (8 + 2 * times) * times) * np.minimum(1.0, times / 0.1)
        soundfile.write(path, sound, TOY.sample_rate, subtype="PCM_16")
        return path

    return write


@pytest.fixture
def start() -> Iterator[Start]:
    """`start("gateway", "run", …)`: a command of ours as a process; what still runs at the end is killed."""
    with processes() as launch:
        yield launch


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[RunningBroker]:
    """A Mosquitto of its own for one test."""
    with start_mosquitto(tmp_path / "mosquitto") as running:
        yield running


@pytest.fixture
def watcher(mosquitto: RunningBroker) -> Iterator[Watcher]:
    """Sees everything that passes `mosquitto`."""
    with Watcher(mosquitto.url) as watching:
        yield watching


@pytest.fixture
def make_stream(start: Start, watcher: Watcher, mosquitto: RunningBroker, tmp_path: Path) -> MakeStream:
    """`make_stream(name)`: both ends of a stream of the packaged nano codec, on `mosquitto`."""

    def make(name: str) -> NanoStream:
        return NanoStream(name, start=start, watcher=watcher, broker=mosquitto, folder=tmp_path)

    return make


@pytest.fixture(scope="session")
def wan_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, NanoRun]:
    """By QoS: 8 s of the bundled clip over the link profile wan, five frames a packet."""
    options = {qos: ["--link", "wan", "--frames-per-packet", "5", "--qos", str(qos)] for qos in (0, 1)}
    runs = play_through(tmp_path_factory.mktemp("wan"), list(options.values()), seconds=WAN_S)
    return dict(zip(options, runs, strict=True))


@pytest.fixture(scope="session")
def lan_run(tmp_path_factory: pytest.TempPathFactory) -> NanoRun:
    """6 s of the bundled clip over the link profile lan, to a player on a machine without torch."""
    (run,) = play_through(
        tmp_path_factory.mktemp("lan"), [["--link", "lan"]], seconds=LAN_S, player_prelude=BLOCK_TORCH
    )
    return run
