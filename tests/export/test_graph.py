"""What the variants take for learned layers in nano's graphs."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import ModelProto

from export.graph import learned_part, load_graph, stored_weight
from export.quantise import candidates


@pytest.fixture(scope="module")
def halves(exported: Path) -> dict[str, ModelProto]:
    return {half: load_graph(exported / f"{half}.onnx") for half in ("encoder", "decoder")}


def test_the_matrices_of_spectra_and_filters_are_no_learned_layers(halves: dict[str, ModelProto]) -> None:
    fixed = {"forwards": 2, "backwards": 1, "cosines": 2, "filters": 1}
    products = []
    for model in halves.values():
        layers = learned_part(model).layers
        assert len(layers) >= 10
        assert not [node.name for node in layers if stored_weight(model, node).startswith("side.")]
        products += [node.input[1].rsplit(".", 1)[-1] for node in model.graph.node if node.op_type == "MatMul"]
    assert {name: products.count(name) for name in fixed} == fixed


def test_the_pitch_tracker_stays_float(halves: dict[str, ModelProto], exported: Path) -> None:
    model = halves["encoder"]
    tracker = {tensor.name for tensor in model.graph.initializer if ".tracker." in tensor.name}
    assert {"encoder.tracker.enter.weight.transposed.float16"} < tracker
    assert not tracker & set(candidates(exported / "encoder.onnx"))
    inner = learned_part(model).nodes
    assert not [node.name for node in model.graph.node if node.name in inner and "tracker" in " ".join(node.input)]


def test_the_excitation_and_its_phase_are_computed_outside_the_learned_part(halves: dict[str, ModelProto]) -> None:
    inner = learned_part(halves["decoder"]).nodes
    assert inner
    excitation = [n for n in halves["decoder"].graph.node if n.op_type in ("Floor", "Round", "CumSum", "Sin", "Exp")]
    assert {"Floor", "Round", "CumSum", "Exp"} <= {node.op_type for node in excitation}
    attention = {"Sin"}
    assert {node.op_type for node in excitation if node.name in inner} <= attention


def test_the_first_layers_and_the_last_projections_of_a_half_stay_float(exported: Path) -> None:
    encoder, decoder = candidates(exported / "encoder.onnx"), candidates(exported / "decoder.onnx")
    for name in ("encoder.layers.0.weight", "encoder.patch.weight.transposed", "encoder.project.weight.transposed"):
        assert name + ".float16" not in encoder
    for name in ("decoder.first.weight", "decoder.patch.weight.transposed", "decoder.head.shape.weight.transposed"):
        assert name + ".float16" not in decoder
    assert "encoder.layers.1.expand.weight.transposed.float16" in encoder
    assert "decoder.fine.0.expand.weight.transposed.float16" in decoder
