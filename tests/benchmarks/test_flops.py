"""The counter of arithmetic, on graphs small enough to count by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx")

from benchmarks.flops import count_flops  # noqa: E402 — after importorskip: it imports onnx


def save_graph(
    path: Path, nodes: Sequence[Any], inputs: dict[str, Sequence[int | str]], constants: dict[str, NDArray[np.float32]]
) -> Path:
    graph = onnx.helper.make_graph(
        nodes,
        "toy",
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


def test_matrix_product_counts_two_per_multiply_add(tmp_path: Path) -> None:
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["out"])
    path = save_graph(tmp_path / "m.onnx", [node], {"x": ["B", 3]}, {"w": np.zeros((3, 5), np.float32)})
    count = count_flops(path, {"x": np.zeros((7, 3), np.float32)})
    assert (count.products, count.others) == (2 * 7 * 3 * 5, 0)


def test_grouped_convolution_counts_only_its_own_channels(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Conv", ["x", "w"], ["out"], group=4)
    path = save_graph(tmp_path / "c.onnx", [node], {"x": [1, 8, "T"]}, {"w": np.zeros((8, 2, 3), np.float32)})
    count = count_flops(path, {"x": np.zeros((1, 8, 12), np.float32)})
    assert count.products == 2 * 8 * 10 * 2 * 3


def test_transposed_convolution_counts_by_its_input(tmp_path: Path) -> None:
    node = onnx.helper.make_node("ConvTranspose", ["x", "w"], ["out"], strides=[2])
    path = save_graph(tmp_path / "t.onnx", [node], {"x": [1, 4, "T"]}, {"w": np.zeros((4, 6, 2), np.float32)})
    count = count_flops(path, {"x": np.zeros((1, 4, 9), np.float32)})
    assert count.products == 2 * 4 * 9 * 6 * 2


def test_elementwise_counts_one_an_element_and_moving_data_nothing(tmp_path: Path) -> None:
    nodes = [onnx.helper.make_node("Transpose", ["x"], ["y"]), onnx.helper.make_node("Add", ["y", "y"], ["out"])]
    path = save_graph(tmp_path / "e.onnx", nodes, {"x": ["B", 3]}, {})
    count = count_flops(path, {"x": np.zeros((7, 3), np.float32)})
    assert (count.products, count.others, count.total) == (0, 21, 21)


def test_what_is_computed_from_constants_at_load_time_is_not_counted(tmp_path: Path) -> None:
    nodes = [onnx.helper.make_node("Cos", ["w"], ["v"]), onnx.helper.make_node("MatMul", ["x", "v"], ["out"])]
    path = save_graph(tmp_path / "f.onnx", nodes, {"x": ["B", 3]}, {"w": np.zeros((3, 5), np.float32)})
    assert count_flops(path, {"x": np.zeros((7, 3), np.float32)}).others == 0
