"""int8 products of the narrow Qwen decoder: what is quantised, what is not, and what is chosen to stay float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, numpy_helper

from codec.onnx import OnnxDecoder
from export.frames import Frames
from export.graph import load_graph
from export.products import products_of
from export.quantise import candidates, product_ranges, quantise
from export.sensitivity import EVERYTHING, choose_float, grouped, relative_error


@pytest.fixture(scope="module")
def decoder(small_qwen3_onnx: Path) -> Path:
    return small_qwen3_onnx / "decoder.onnx"


def codes(rows: int, frames: int, seed: int = 0) -> Frames:
    return np.random.default_rng(seed).integers(0, 2048, (rows, frames, 16))


def audio(path: Path, frames: Frames) -> Frames:
    with OnnxDecoder.load(path).session(len(frames)) as session:
        return session.decode(np.ascontiguousarray(frames.transpose(0, 2, 1)))


@pytest.fixture(scope="module")
def all_int8(decoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("int8") / "decoder.int8.onnx"
    return quantise(decoder, path, half="decoder", calibration=codes(2, 20), reduced_range=True)


def test_every_product_of_the_decoder_becomes_int8(decoder: Path, all_int8: Path) -> None:
    products = products_of(load_graph(decoder))
    assert len(products) == len(candidates(decoder)) > 40
    model = load_graph(all_int8)
    narrow = {tensor.name for tensor in model.graph.initializer if tensor.data_type == TensorProto.INT8}
    assert {f"{product.weight}.int8" for product in products} <= narrow
    assert not {product.weight for product in products} & {tensor.name for tensor in model.graph.initializer}
    assert not products_of(model)


def test_weights_of_the_reduced_range_have_seven_bits(decoder: Path, all_int8: Path, tmp_path: Path) -> None:
    full = quantise(decoder, tmp_path / "full.onnx", half="decoder", calibration=codes(1, 5), reduced_range=False)
    for path, greatest in ((all_int8, 63), (full, 127)):
        weights = [t for t in load_graph(path).graph.initializer if t.name.endswith(".weight.int8")]
        assert {int(np.abs(numpy_helper.to_array(tensor).astype(int)).max()) for tensor in weights} == {greatest}


def test_signals_are_quantised_before_their_rows_are_laid_beside_each_other(all_int8: Path) -> None:
    graph = load_graph(all_int8).graph
    producers = {name: node for node in graph.node for name in node.output}
    quantised = [n for n in graph.node if n.op_type == "Gather" and n.input[0].endswith(".uint8")]
    assert len(quantised) > 10
    assert all(producers[node.input[0]].op_type == "QuantizeLinear" for node in quantised)
    tails = [n for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0].endswith(".uint8")]
    assert len([n for n in graph.node if n.op_type == "QuantizeLinear"]) < len(tails)


def test_no_state_passes_through_a_quantiser(all_int8: Path, decoder: Path) -> None:
    graph = load_graph(all_int8).graph
    producers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, set[str]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, set()).add(node.op_type)
    for value in graph.input:
        assert "QuantizeLinear" not in readers[value.name]
    for value in graph.output:
        if value.name.startswith("new_"):
            assert producers[value.name].op_type not in ("DequantizeLinear", "Gemm")
    assert OnnxDecoder.load(all_int8).model.states == OnnxDecoder.load(decoder).model.states


def test_onnx_runtime_runs_every_product_in_int8_with_a_float_result(
    decoder: Path, all_int8: Path, tmp_path: Path
) -> None:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    ort.InferenceSession(all_int8, options, providers=["CPUExecutionProvider"])
    operators = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx", load_external_data=False).graph.node]
    assert operators.count("QGemm") == len(candidates(decoder))
    assert "Gemm" not in operators
    assert "DequantizeLinear" not in operators


def test_int8_audio_is_near_that_of_the_float_graph_and_the_same_however_it_is_cut(
    decoder: Path, all_int8: Path
) -> None:
    data = codes(1, 12, seed=5)
    truth, got = audio(decoder, data), audio(all_int8, data)
    assert 0.01 < relative_error(truth, got) < 0.5
    with OnnxDecoder.load(all_int8).session() as session:
        pieces = [session.decode(np.ascontiguousarray(data[:, at : at + 3].transpose(0, 2, 1))) for at in (0, 3, 6, 9)]
    assert relative_error(got, np.concatenate(pieces, axis=1)) < 0.1


def test_layers_that_are_kept_stay_as_they_were(decoder: Path, tmp_path: Path) -> None:
    names = candidates(decoder)
    path = quantise(
        decoder, tmp_path / "half.onnx", half="decoder", calibration=codes(1, 5), reduced_range=True, kept=names[:10]
    )
    assert tuple(product.weight for product in products_of(load_graph(path))) == names[:10]
    nothing = quantise(
        decoder, tmp_path / "none.onnx", half="decoder", calibration=codes(1, 5), reduced_range=True, kept=names
    )
    data = codes(1, 3)
    np.testing.assert_array_equal(audio(nothing, data), audio(decoder, data))


def test_ranges_hold_all_that_streams_put_through_and_zero(decoder: Path) -> None:
    ranges = product_ranges(decoder, half="decoder", calibration=codes(1, 10))
    assert ranges
    assert all(low <= 0 <= high and high > low for low, high in ranges.values())
    fewer = product_ranges(decoder, half="decoder", calibration=codes(1, 10)[:, :5])
    assert all(ranges[name][1] >= fewer[name][1] for name in fewer)
    assert not list(decoder.parent.glob("*.watched*"))


def test_as_few_layers_stay_float_as_the_error_allows(decoder: Path) -> None:
    def choose(max_error: float) -> tuple[float, int, float]:
        choice = choose_float(
            decoder,
            half="decoder",
            calibration=codes(1, 5),
            judged=codes(1, 5, seed=1),
            reduced_range=True,
            max_error=max_error,
        )
        return choice.error, len(choice.layers), choice.all_int8_error

    error, kept, all_int8_error = choose(EVERYTHING)
    assert (kept, error) == (0, all_int8_error)
    better, some, _ = choose(0.6 * all_int8_error)
    assert better <= 0.6 * all_int8_error
    assert 0 < some < len(candidates(decoder))


def test_layers_are_grouped_by_the_part_of_the_network_they_belong_to() -> None:
    names = ["a.enter.weight", "a.blocks.0.x.weight", "a.blocks.0.y.weight", "a.blocks.1.x.weight"]
    assert grouped(names) == {"a.enter": names[:1], "a.blocks.0": names[1:3], "a.blocks.1": names[3:]}


def test_an_error_is_relative_to_the_truth_and_nan_is_the_worst() -> None:
    truth = np.array([3.0, 4.0])
    assert relative_error(truth, truth) == 0
    assert relative_error(truth, 1.1 * truth) == pytest.approx(0.1)
    assert relative_error(truth, np.array([np.nan, 4.0])) == EVERYTHING
