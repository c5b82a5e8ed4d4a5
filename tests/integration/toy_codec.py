"""A toy codec with nano's numbers, as real ONNX files: the wire sees what it will see, and training is not needed.

Each of the 16 codes of an 80 ms frame is the mean of 80 samples, so slow signals come back as they went in.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from codec import CodecSpec

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


def save_toy_codec(folder: Path, spec: CodecSpec = TOY) -> Path:
    """Write encoder.onnx and decoder.onnx into `folder`; returns it."""
    _save(folder / "encoder.onnx", "encoder", spec, *_encoder())
    _save(folder / "decoder.onnx", "decoder", spec, *_decoder())
    return folder


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
