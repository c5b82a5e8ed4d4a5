"""One half of a codec to one ONNX file, with its description inside."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor

from codec.models.half import CodecHalf
from codec.spec import CodecSpec
from export.compact import build_fourier_matrices, compact_weights, name_weights, require_half, stores_half
from export.errors import ExportError
from export.external import save_model
from export.rewrite.halves import rewritten
from export.wrappers import Half, StatefulGraph

OPSET_VERSION = 20
"""The first with Gelu as one operator; ONNX Runtime has it since 1.17."""

MAX_FRAMES = 25
"""Frames a step that the graph is traced for."""


def example_inputs(graph: StatefulGraph, half: Half, spec: CodecSpec, *, batch: int, frames: int) -> tuple[Tensor, ...]:
    """Inputs of the right shapes and dtypes, all states zero."""
    data = (
        torch.zeros(batch, spec.num_layers, frames, dtype=torch.int64)
        if half == "decoder"
        else torch.zeros(batch, frames * spec.frame_size)
    )
    states = [value.new_zeros((batch, *value.shape[1:])) for value in graph.initial.values()]
    return (data, torch.ones(batch, dtype=torch.bool), torch.zeros(batch, dtype=torch.bool), *states)


def export_half(half: Half, module: CodecHalf, spec: CodecSpec, path: Path) -> Path:
    """Write `module` to `path` as DESIGN section 3 has it; rows and frames a step stay free.

    nano's weights are stored as float16 and computed as float32 (see `export.compact`): `module` must hold weights that
    float16 can express, so that the file and torch are the same function. Raises ExportError where they are not. The
    weights of other codecs lie as they are in a data file beside `path` (see `export.external`).
    """
    graph = StatefulGraph(rewritten(module.eval())).eval()
    compact = stores_half(spec)
    if compact:
        require_half(graph)
    inputs = example_inputs(graph, half, spec, batch=2, frames=3)
    names = (("codes" if half == "decoder" else "pcm"), "active", "reset", *graph.state_names)
    outputs = (*module.outputs, *(f"new_{name}" for name in graph.state_names))
    batch = torch.export.Dim("rows", min=1, max=1024)
    frames = torch.export.Dim("frames", min=1, max=MAX_FRAMES)
    data_shape = {0: batch, 2: frames} if half == "decoder" else {0: batch, 1: spec.frame_size * frames}
    rows = {0: batch}
    with warnings.catch_warnings():
        # The exporter's own deprecations are not the user's.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph,
            inputs,
            input_names=names,
            output_names=outputs,
            opset_version=OPSET_VERSION,
            dynamic_shapes=(data_shape, rows, rows, tuple(rows for _ in graph.state_names)),
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    if program is None:
        raise ExportError(f"torch.onnx made no program of the {half}")
    model = program.model_proto
    if compact:
        compact_weights(model, graph)
        build_fourier_matrices(model, graph)
    else:
        name_weights(model, graph)
    _rename_rows(model, half)
    _describe(model, half, spec, graph)
    return save_model(model, path, external=not compact)


def _rename_rows(model: onnx.ModelProto, half: Half) -> None:
    """Name the open dimensions: readers of the file see B and N, not the exporter's symbols."""
    data = model.graph.input[0].type.tensor_type.shape.dim
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "B"
    if half == "decoder":
        data[2].dim_param = "N"


def _describe(model: onnx.ModelProto, half: Half, spec: CodecSpec, graph: StatefulGraph) -> None:
    states = [
        {"name": name, "shape": list(value.shape[1:]), "dtype": str(value.dtype).removeprefix("torch.")}
        for name, value in graph.initial.items()
    ]
    entries = {
        "format": "1",
        "half": half,
        "codec": json.dumps(spec.to_dict(), separators=(",", ":")),
        "precision": "fp32",
        "opset": str(OPSET_VERSION),
        "states": json.dumps(states, separators=(",", ":")),
    }
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {f"voxwire.{key}": value for key, value in entries.items()})
    model.producer_name = "voxwire"
    # What the exporter notes about where each node came from doubles the file and carries paths of the build machine.
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    del model.graph.metadata_props[:]
