"""A toy codec with nano's numbers, as real ONNX files: the wire sees what it will see, and training is not needed.

Each of the 16 codes of an 80 ms frame is the mean of 80 samples, so slow signals come back as they went in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from codec import CodecSpec
from gateway.demo.broker import RunningBroker, start_broker
from tests.integration.nano_path import NanoRun, NanoStream, Start, play_through, processes, start_mosquitto
from tests.integration.watcher import Watcher
from tests.test_architecture import BLOCK_TORCH

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
_LAYERS, _STRETCH = 16, 80
_SCALE = 1024.0

TOY = CodecSpec(
    name="toy",
    sample_rate=16000,
    frame_size=_LAYERS * _STRETCH,
    num_layers=_LAYERS,
    codebook_size=2048,
    delay_samples=0,
    weights_sha256="70" * 32,
)

MakeModel = Callable[..., Path]
MakeStream = Callable[[str], NanoStream]

WAN_S = 8.0  # 20 packets of five frames
LAN_S = 6.0


@pytest.fixture(scope="session")
def make_codec(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """`make_codec(spec=...)`: a folder with encoder.onnx and decoder.onnx."""

    def make(spec: CodecSpec = TOY) -> Path:
        folder = tmp_path_factory.mktemp("toy-codec")
        _save(folder / "encoder.onnx", "encoder", spec, *_encoder())
        _save(folder / "decoder.onnx", "decoder", spec, *_decoder())
        return folder

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


def _encoder() -> tuple[list[NodeProto], dict[str, NDArray[np.generic]], list[ValueInfoProto], list[ValueInfoProto]]:
    nodes = [
        helper.make_node("Reshape", ["pcm", "in_stretches"], ["stretches"]),
        helper.make_node("ReduceMean", ["stretches", "axis_3"], ["means"], keepdims=0),
        helper.make_node("Mul", ["means", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "scale"], ["shifted"]),
        helper.make_node("Round", ["shifted"], ["rounded"]),
        helper.make_node("Clip", ["rounded", "low", "high"], ["clipped"]),
        helper.make_node("Transpose", ["clipped"], ["by_layer"], perm=[0, 2, 1]),
        helper.make_node("Cast", ["by_layer"], ["codes"], to=INT64),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "in_stretches": np.array([0, -1, _LAYERS, _STRETCH]),
        "axis_3": np.array([3]),
        "low": np.array(0.0, dtype=np.float32),
        "high": np.array(2047.0, dtype=np.float32),
    }
    inputs = [helper.make_tensor_value_info("pcm", FLOAT, ["B", "samples"])]
    outputs = [helper.make_tensor_value_info("codes", INT64, ["B", _LAYERS, "N"])]
    return nodes, constants, inputs, outputs


def _decoder() -> tuple[list[NodeProto], dict[str, NDArray[np.generic]], list[ValueInfoProto], list[ValueInfoProto]]:
    nodes = [
        helper.make_node("Cast", ["codes"], ["numbers"], to=FLOAT),
        helper.make_node("Less", ["numbers", "zero"], ["missing"]),
        helper.make_node("Where", ["missing", "scale", "numbers"], ["present"]),
        helper.make_node("Div", ["present", "scale"], ["divided"]),
        helper.make_node("Sub", ["divided", "unit"], ["means"]),
        helper.make_node("Transpose", ["means"], ["by_frame"], perm=[0, 2, 1]),
        helper.make_node("Unsqueeze", ["by_frame", "axis_3"], ["unstretched"]),
        helper.make_node("Mul", ["unstretched", "held"], ["stretched"]),
        helper.make_node("Reshape", ["stretched", "flat"], ["pcm"]),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "unit": np.array(1.0, dtype=np.float32),
        "axis_3": np.array([3]),
        "held": np.ones((1, 1, 1, _STRETCH), dtype=np.float32),
        "flat": np.array([0, -1]),
    }
    inputs = [helper.make_tensor_value_info("codes", INT64, ["B", _LAYERS, "N"])]
    outputs = [helper.make_tensor_value_info("pcm", FLOAT, ["B", "samples"])]
    return nodes, constants, inputs, outputs


def _save(
    path: Path,
    half: str,
    spec: CodecSpec,
    nodes: list[NodeProto],
    constants: dict[str, NDArray[np.generic]],
    inputs: list[ValueInfoProto],
    outputs: list[ValueInfoProto],
) -> None:
    """Add the state every stateful half has, here a count of the steps, and the metadata."""
    nodes = [
        *nodes,
        helper.make_node("Unsqueeze", ["reset", "axis_1"], ["reset_2d"]),
        helper.make_node("Unsqueeze", ["active", "axis_1"], ["active_2d"]),
        helper.make_node("Where", ["reset_2d", "zero", "steps"], ["old_steps"]),
        helper.make_node("Add", ["old_steps", "step"], ["more_steps"]),
        helper.make_node("Where", ["active_2d", "more_steps", "steps"], ["new_steps"]),
    ]
    constants = {
        **constants,
        "axis_1": np.array([1]),
        "zero": np.array(0.0, dtype=np.float32),
        "step": np.array(1.0, dtype=np.float32),
        "scale": np.array(_SCALE, dtype=np.float32),
    }
    control = [helper.make_tensor_value_info(name, BOOL, ["B"]) for name in ("active", "reset")]
    graph = helper.make_graph(
        nodes,
        half,
        [*inputs, *control, helper.make_tensor_value_info("steps", FLOAT, ["B", 1])],
        [*outputs, helper.make_tensor_value_info("new_steps", FLOAT, ["B", 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    metadata = {
        "voxwire.format": "1",
        "voxwire.half": half,
        "voxwire.codec": json.dumps(spec.to_dict()),
        "voxwire.precision": "fp32",
        "voxwire.opset": "18",
        "voxwire.states": json.dumps([{"name": "steps", "shape": [1], "dtype": "float32"}]),
    }
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
