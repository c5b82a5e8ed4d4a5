"""float16 files of the transformer codec: where the arithmetic must not be narrow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, shape_inference

from codec.onnx import OnnxDecoder
from export.float16 import to_float16


def test_the_mean_square_of_a_norm_is_float32(small_qwen3_onnx: Path, tmp_path: Path) -> None:
    path = to_float16(small_qwen3_onnx / "decoder.onnx", tmp_path / "decoder.fp16.onnx")
    model = shape_inference.infer_shapes(onnx.load(path))
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
    squares = [node for node in model.graph.node if node.op_type == "Pow"]
    means = [node for node in model.graph.node if node.op_type == "ReduceMean"]
    assert len(squares) == len(means) > 0
    assert {types[node.output[0]] for node in (*squares, *means)} == {TensorProto.FLOAT}
    products = [node for node in model.graph.node if node.op_type == "Gemm"]
    assert TensorProto.FLOAT16 in {types[node.output[0]] for node in products}


def test_it_decodes_what_the_float32_file_decodes(small_qwen3_onnx: Path, tmp_path: Path) -> None:
    wide = small_qwen3_onnx / "decoder.onnx"
    narrow = to_float16(wide, tmp_path / "decoder.fp16.onnx")
    codes = np.random.default_rng(3).integers(0, 2048, (16, 20))
    with OnnxDecoder.load(wide).session() as first, OnnxDecoder.load(narrow).session() as second:
        truth, close = first.decode(codes), second.decode(codes)
    error = np.sqrt(np.mean((close - truth) ** 2) / np.mean(truth**2))
    assert error < 0.02
