"""Arithmetic of one run of an ONNX graph, from the shapes that its tensors really have in that run.

The shapes come from a run and not from onnx.shape_inference, which stops at a Reshape whose target is computed; a run
leaves nothing unknown. Products (Conv, MatMul, …) count 2 per multiply-add; any other node that yields floats counts
1 per element, so a transcendental function is under-counted: small beside the products. What depends on constants only
is computed once, when the file is loaded, and not counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

Shape = tuple[int, ...]

_SUBGRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
# Move or relabel data; no arithmetic.
_FREE = {
    *("Cast", "Concat", "Constant", "ConstantOfShape", "Expand", "Flatten", "Gather", "GatherElements", "GatherND"),
    *("Identity", "Pad", "Range", "Reshape", "ScatterND", "Shape", "Size", "Slice", "Split", "Squeeze", "Tile"),
    *("Transpose", "Unsqueeze"),
}


@dataclass(frozen=True, slots=True)
class Flops:
    """Of one run."""

    products: int
    others: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.products + self.others


def count_flops(path: Path, feeds: Mapping[str, NDArray[Any]]) -> Flops:
    """Count one run of the graph at `path` on `feeds`. ValueError for a graph with loops or branches."""
    model = onnx.load(path)
    shapes, floats = _shapes_of_a_run(model, feeds)
    products = others = 0
    constants = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if all(name in constants for name in node.input if name):
            constants.update(node.output)
            continue
        if any(attribute.type in _SUBGRAPHS for attribute in node.attribute):
            raise ValueError(f"{path} has a {node.op_type} with a graph inside: its arithmetic depends on the data")
        count = _products(node, shapes)
        if count is not None:
            products += count
        elif node.op_type not in _FREE:
            others += sum(math.prod(shapes[name]) for name in node.output if name in floats)
    return Flops(products=products, others=others)


def _shapes_of_a_run(model: onnx.ModelProto, feeds: Mapping[str, NDArray[Any]]) -> tuple[dict[str, Shape], set[str]]:
    """Shape by tensor name, and the names of those that hold floats."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    known = {output.name for output in probe.graph.output}
    for node in model.graph.node:
        for name in node.output:
            if name and name not in known:
                known.add(name)
                probe.graph.output.append(onnx.ValueInfoProto(name=name))
    options = ort.SessionOptions()
    # As written: a fused node would have no counterpart in the file.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    values = dict(zip(names, session.run(names, dict(feeds)), strict=True)) | dict(feeds)
    values |= {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    shapes = {name: tuple(np.shape(value)) for name, value in values.items()}
    return shapes, {name for name, value in values.items() if np.asarray(value).dtype.kind == "f"}


def _products(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> int | None:
    """Twice the multiply-adds of a node that multiplies and sums; None for any other."""
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    first = shapes.get(node.input[0], ()) if node.input else ()
    out = shapes.get(node.output[0], ())
    if node.op_type == "MatMul":
        return 2 * math.prod(out) * first[-1]
    if node.op_type == "Gemm":
        return 2 * math.prod(out) * first[0 if attributes.get("transA") else 1]
    if node.op_type == "Conv":  # weight [out, in / groups, kernel…]
        return 2 * math.prod(out) * math.prod(shapes[node.input[1]][1:])
    if node.op_type == "ConvTranspose":  # weight [in, out / groups, kernel…]
        return 2 * math.prod(first) * math.prod(shapes[node.input[1]][1:])
    if node.op_type == "Einsum":
        left = attributes["equation"].decode().replace(" ", "").partition("->")[0].split(",")
        sizes: dict[str, int] = {}
        for letters, name in zip(left, node.input, strict=True):
            sizes |= zip(letters, shapes[name], strict=True)
        return 2 * math.prod(sizes.values())
    return None
