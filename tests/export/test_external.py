"""Models with a data file beside them: written, shared, moved, cleaned up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from codec.external_data import data_file_of
from export.external import ALIGNMENT, file_bytes, keeps_data_apart, move_model, save_model
from export.graph import load_graph, save_graph


def tiny_model(scale: float = 1.0) -> ModelProto:
    """y = x @ w + b with a weight that is worth a file and a bias that is not."""
    weight = scale * np.arange(64 * 32, dtype=np.float32).reshape(64, 32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["B", 32])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.ones(32, np.float32), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    helper.set_model_props(model, {"voxwire.half": "decoder", "voxwire.precision": "fp32"})
    return model


def result_of(path: Path) -> float:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": np.ones((1, 64), np.float32)})
    return float(y[0, 0])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_model(tiny_model(), tmp_path / "made" / "decoder.onnx", external=True)


def test_large_tensors_lie_in_a_file_named_by_its_content(saved: Path) -> None:
    data = data_file_of(saved)
    assert data is not None
    assert data.file == f"decoder-{data.sha256[:8]}.data"
    assert (saved.parent / data.file).stat().st_size == data.bytes == 64 * 32 * 4
    assert file_bytes(saved) == saved.stat().st_size + data.bytes
    stored = onnx.load(saved, load_external_data=False)
    assert keeps_data_apart(stored)
    locations = {tensor.name: tensor.data_location for tensor in stored.graph.initializer}
    assert locations == {"w": TensorProto.EXTERNAL, "b": TensorProto.DEFAULT}
    assert result_of(saved) == sum(range(0, 64 * 32, 32)) + 1
    assert {path.name for path in saved.parent.iterdir()} == {"decoder.onnx", data.file}


def test_tensors_begin_at_pages(tmp_path: Path) -> None:
    model = tiny_model()
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(500, np.float32), "first"))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(500, np.float32), "second"))
    path = save_model(model, tmp_path / "decoder.onnx", external=True)
    offsets = [
        int(entry.value)
        for tensor in onnx.load(path, load_external_data=False).graph.initializer
        for entry in tensor.external_data
        if entry.key == "offset"
    ]
    assert len(offsets) == 3
    assert all(offset % ALIGNMENT == 0 for offset in offsets)


def test_a_graph_changed_without_its_data_reads_the_same_file(saved: Path) -> None:
    model = load_graph(saved, data=False)
    model.graph.node.append(helper.make_node("Neg", ["y"], ["z"], name="neg"))
    model.graph.output[0].name = "z"
    other = save_graph(model, saved.parent / "other.onnx", precision="fp32")
    assert data_file_of(other) == data_file_of(saved)
    assert result_of(other) == -result_of(saved)


def test_a_graph_saved_again_with_its_data_shares_the_file_while_it_is_the_same(saved: Path) -> None:
    again = save_graph(load_graph(saved), saved.parent / "again.onnx", precision="fp32")
    assert data_file_of(again) == data_file_of(saved)
    changed = load_graph(saved)
    changed.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros((64, 32), np.float32), "w"))
    zero = save_graph(changed, saved.parent / "zero.onnx", precision="int8")
    assert data_file_of(zero) != data_file_of(saved)
    assert (result_of(zero), result_of(again)) == (1.0, result_of(saved))


def test_a_move_takes_the_data_along_and_removes_what_nobody_reads_any_more(saved: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    unrelated = target / "encoder-00000000.data"
    unrelated.touch()
    move_model(saved, target / "decoder.onnx")
    first = data_file_of(target / "decoder.onnx")
    newer = save_model(tiny_model(2.0), tmp_path / "newer" / "decoder.onnx", external=True)
    move_model(newer, target / "decoder.int8.onnx")
    second = data_file_of(target / "decoder.int8.onnx")
    assert first is not None
    assert second is not None
    names = {path.name for path in target.iterdir()}
    assert names == {"decoder.onnx", "decoder.int8.onnx", first.file, second.file, unrelated.name}
    third = save_model(tiny_model(2.0), tmp_path / "newest" / "decoder.onnx", external=True)
    move_model(third, target / "decoder.onnx")
    assert {path.name for path in target.iterdir()} == names - {first.file}
    assert result_of(target / "decoder.onnx") == result_of(target / "decoder.int8.onnx")


def test_without_external_data_all_is_in_one_file(tmp_path: Path) -> None:
    path = save_model(tiny_model(), tmp_path / "decoder.onnx", external=False)
    assert data_file_of(path) is None
    assert [file.name for file in tmp_path.iterdir()] == ["decoder.onnx"]
