"""A toy codec as ONNX files made on the spot, after the same contract as the real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codec.spec import CodecSpec

TOY = CodecSpec(
    name="toy",
    sample_rate=16000,
    frame_size=8,
    num_layers=4,
    codebook_size=16,
    delay_samples=3,
    weights_sha256="ab" * 32,
)
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL

ModelFactory = Callable[..., Path]


@pytest.fixture(scope="session")
def toy_spec() -> CodecSpec:
    return TOY


@pytest.fixture(scope="session")
def toy_table() -> NDArray[np.float32]:
    """What code c of layer k adds to the running sum: whole numbers, so that any order of adding is exact."""
    return np.random.default_rng(1).integers(-5, 6, (TOY.num_layers, TOY.codebook_size)).astype(np.float32)


@pytest.fixture(scope="session")
def make_model(toy_table: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> ModelFactory:
    """make_model("decoder") or ("encoder"); metadata={"key": text or None} changes or drops entries."""

    def make(
        half: str,
        *,
        metadata: dict[str, str | None] | None = None,
        spec: CodecSpec = TOY,
        frames: int | str = "N",
        batch: int | str = "B",
    ) -> Path:
        graph, states = _decoder(toy_table, frames, batch) if half == "decoder" else _encoder(frames, batch)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        entries: dict[str, str | None] = {
            "format": "1",
            "half": half,
            "codec": json.dumps(spec.to_dict()),
            "precision": "fp32",
            "opset": "18",
            "states": json.dumps(states),
        }
        entries |= metadata or {}
        helper.set_model_props(model, {f"voxwire.{key}": value for key, value in entries.items() if value is not None})
        onnx.checker.check_model(model, full_check=True)
        path = tmp_path_factory.mktemp("toy") / f"{half}.onnx"
        onnx.save(model, str(path))
        return path

    return make


@pytest.fixture(scope="session")
def decoder_path(make_model: ModelFactory) -> Path:
    return make_model("decoder")


@pytest.fixture(scope="session")
def encoder_path(make_model: ModelFactory) -> Path:
    return make_model("encoder")


@pytest.fixture(scope="session")
def model_folder(decoder_path: Path, encoder_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for path in (decoder_path, encoder_path):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="session")
def reference_decode(toy_table: NDArray[np.float32]) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """What a fresh toy decoder makes of codes [K, N], computed in numpy: samples [N·frame_size]."""

    def decode(codes: NDArray[Any]) -> NDArray[np.float32]:
        added = np.zeros(codes.shape[1], dtype=np.float32)
        for layer in range(codes.shape[0]):
            there = codes[layer] >= 0
            added[there] += toy_table[layer][codes[layer][there]]
        return np.repeat(np.cumsum(added) / np.float32(1024), TOY.frame_size).astype(np.float32)

    return decode


@pytest.fixture(scope="session")
def reference_encode() -> Callable[[NDArray[np.float32]], NDArray[np.int64]]:
    """What a fresh toy encoder makes of samples [N·frame_size]: codes [K, N]."""

    def encode(samples: NDArray[np.float32]) -> NDArray[np.int64]:
        level = np.cumsum(np.abs(samples).reshape(-1, TOY.frame_size).sum(axis=1, dtype=np.float32), dtype=np.float32)
        return (np.floor(level).astype(np.int64) + np.arange(TOY.num_layers)[:, np.newaxis]) % TOY.codebook_size

    return encode


def _decoder(
    table: NDArray[np.float32], frames: int | str, batch: int | str
) -> tuple[onnx.GraphProto, list[dict[str, object]]]:
    """Codes add to a running sum (the state), held for a frame. `tiny` is a denormal unless denormals are flushed."""
    layers, size = table.shape
    nodes = [
        helper.make_node("Less", ["codes", "zero"], ["missing"]),
        helper.make_node("Max", ["codes", "zero"], ["present"]),
        helper.make_node("Add", ["present", "offsets"], ["places"]),
        helper.make_node("Gather", ["table", "places"], ["gathered"]),
        helper.make_node("Where", ["missing", "zero_float", "gathered"], ["values"]),
        helper.make_node("ReduceSum", ["values", "axis_1"], ["added"], keepdims=0),
        helper.make_node("Unsqueeze", ["reset", "axis_1"], ["reset_2d"]),
        helper.make_node("Unsqueeze", ["active", "axis_1"], ["active_2d"]),
        helper.make_node("Where", ["reset_2d", "zero_float", "level"], ["old_level"]),
        helper.make_node("CumSum", ["added", "one"], ["summed"]),
        helper.make_node("Add", ["summed", "old_level"], ["levels"]),
        helper.make_node("Slice", ["levels", "minus_1", "far", "axis_1"], ["last_level"]),
        helper.make_node("Where", ["active_2d", "last_level", "level"], ["new_level"]),
        helper.make_node("Where", ["reset", "zero", "count"], ["old_count"]),
        helper.make_node("Shape", ["codes"], ["frames_1"], start=2, end=3),
        helper.make_node("Squeeze", ["frames_1"], ["frames"]),
        helper.make_node("Add", ["old_count", "frames"], ["counted"]),
        helper.make_node("Where", ["active", "counted", "count"], ["new_count"]),
        helper.make_node("Unsqueeze", ["levels", "axis_2"], ["levels_3d"]),
        helper.make_node("Mul", ["levels_3d", "held"], ["samples_3d"]),
        helper.make_node("Reshape", ["samples_3d", "flat"], ["pcm"]),
        helper.make_node("Cast", ["new_count"], ["count_float"], to=FLOAT),
        helper.make_node("Mul", ["count_float", "denormal"], ["tiny"]),
    ]
    constants = {
        "zero": np.int64(0),
        "one": np.int64(1),
        "zero_float": np.float32(0),
        "denormal": np.float32(1e-39),
        "offsets": (np.arange(layers) * size).reshape(1, layers, 1),
        "table": table.reshape(-1),
        "axis_1": np.array([1]),
        "axis_2": np.array([2]),
        "minus_1": np.array([-1]),
        "far": np.array([2**31]),
        "held": np.full((1, 1, TOY.frame_size), 1 / 1024, dtype=np.float32),
        "flat": np.array([0, -1]),
    }
    samples = frames * TOY.frame_size if isinstance(frames, int) else "samples"
    graph = helper.make_graph(
        nodes,
        "toy_decoder",
        [
            helper.make_tensor_value_info("codes", INT64, [batch, layers, frames]),
            helper.make_tensor_value_info("active", BOOL, [batch]),
            helper.make_tensor_value_info("reset", BOOL, [batch]),
            helper.make_tensor_value_info("level", FLOAT, [batch, 1]),
            helper.make_tensor_value_info("count", INT64, [batch]),
        ],
        [
            helper.make_tensor_value_info("pcm", FLOAT, [batch, samples]),
            helper.make_tensor_value_info("new_level", FLOAT, [batch, 1]),
            helper.make_tensor_value_info("new_count", INT64, [batch]),
            helper.make_tensor_value_info("tiny", FLOAT, [batch]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    states: list[dict[str, object]] = [
        {"name": "level", "shape": [1], "dtype": "float32"},
        {"name": "count", "shape": [], "dtype": "int64"},
    ]
    return graph, states


def _encoder(frames: int | str, batch: int | str) -> tuple[onnx.GraphProto, list[dict[str, object]]]:
    """The running sum of magnitudes, whole part, plus the layer's number. `latents` is that sum."""
    nodes = [
        helper.make_node("Abs", ["pcm"], ["magnitude"]),
        helper.make_node("Reshape", ["magnitude", "in_frames"], ["framed"]),
        helper.make_node("ReduceSum", ["framed", "axis_2"], ["added"], keepdims=0),
        helper.make_node("Unsqueeze", ["reset", "axis_1"], ["reset_2d"]),
        helper.make_node("Unsqueeze", ["active", "axis_1"], ["active_2d"]),
        helper.make_node("Where", ["reset_2d", "zero_float", "level"], ["old_level"]),
        helper.make_node("CumSum", ["added", "one"], ["summed"]),
        helper.make_node("Add", ["summed", "old_level"], ["latents"]),
        helper.make_node("Slice", ["latents", "minus_1", "far", "axis_1"], ["last_level"]),
        helper.make_node("Where", ["active_2d", "last_level", "level"], ["new_level"]),
        helper.make_node("Or", ["started", "active"], ["new_started"]),
        helper.make_node("Floor", ["latents"], ["floored"]),
        helper.make_node("Cast", ["floored"], ["whole"], to=INT64),
        helper.make_node("Unsqueeze", ["whole", "axis_1"], ["whole_3d"]),
        helper.make_node("Add", ["whole_3d", "layer"], ["shifted"]),
        helper.make_node("Mod", ["shifted", "size"], ["codes"]),
    ]
    constants = {
        "one": np.int64(1),
        "size": np.int64(TOY.codebook_size),
        "zero_float": np.float32(0),
        "layer": np.arange(TOY.num_layers).reshape(1, -1, 1),
        "in_frames": np.array([0, -1, TOY.frame_size]),
        "axis_1": np.array([1]),
        "axis_2": np.array([2]),
        "minus_1": np.array([-1]),
        "far": np.array([2**31]),
    }
    samples = frames * TOY.frame_size if isinstance(frames, int) else "samples"
    graph = helper.make_graph(
        nodes,
        "toy_encoder",
        [
            helper.make_tensor_value_info("pcm", FLOAT, [batch, samples]),
            helper.make_tensor_value_info("active", BOOL, [batch]),
            helper.make_tensor_value_info("reset", BOOL, [batch]),
            helper.make_tensor_value_info("level", FLOAT, [batch, 1]),
            helper.make_tensor_value_info("started", BOOL, [batch]),
        ],
        [
            helper.make_tensor_value_info("codes", INT64, [batch, TOY.num_layers, frames]),
            helper.make_tensor_value_info("new_level", FLOAT, [batch, 1]),
            helper.make_tensor_value_info("new_started", BOOL, [batch]),
            helper.make_tensor_value_info("latents", FLOAT, [batch, frames]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    states: list[dict[str, object]] = [
        {"name": "level", "shape": [1], "dtype": "float32"},
        {"name": "started", "shape": [], "dtype": "bool"},
    ]
    return graph, states
