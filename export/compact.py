"""Small files without another result: weights as float16 widened at load, Fourier matrices built at load.

Both happen when ONNX Runtime opens the file and folds its constants; every step computes in float32 with the very
numbers that torch has.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from codec.models.spectral import analysis_factors, folded, fourier_tables
from codec.spec import CodecSpec
from export.errors import ExportError
from export.wrappers import StatefulGraph

MIN_ELEMENTS = 64
"""Smaller tensors are left alone: a node costs more than they."""
WEIGHT_PREFIX = "side."
"""What the exporter puts before the names of our parameters."""
TRANSPOSED = ".transposed"
"""Ending of the stored name of a matrix whose rows and columns are exchanged (ONNX multiplies from the left)."""
TABLE = "codebooks"
"""Ending of the names of tables of entries: buffers, and learned all the same."""
HALF = ".float16"
"""Ending of the stored name of a weight kept as float16."""


def stores_half(spec: CodecSpec) -> bool:
    """Whether files of this codec hold weights as float16: nano's releases are rounded to it, Qwen's are not."""
    return spec.name == "nano" or spec.name.startswith("nano-")


def _sources(graph: StatefulGraph) -> dict[str, torch.Tensor]:
    """The learned weights by name."""
    parameters = {name: parameter.detach() for name, parameter in graph.named_parameters()}
    return parameters | {name: buffer for name, buffer in graph.named_buffers() if name.endswith(TABLE)}


def require_half(graph: StatefulGraph) -> None:
    """Raises ExportError where a weight is not a float16 number: known before the graph is traced, which takes long."""
    for name, weight in _sources(graph).items():
        if weight.numel() >= MIN_ELEMENTS and not torch.equal(weight.half().to(weight.dtype), weight):
            raise ExportError(
                f"{name.removeprefix(WEIGHT_PREFIX)} has values that float16 cannot hold: round the weights before the "
                "export"
            )


def compact_weights(model: onnx.ModelProto, graph: StatefulGraph) -> None:
    """Store the float32 weights of `model` as float16 with a Cast behind each, under the names torch has for them.

    They have passed `require_half`.
    """
    sources = _sources(graph)
    nodes: list[NodeProto] = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        wide = numpy_helper.to_array(tensor)
        name = _source_of(tensor.name, wide, sources)
        if name is None:
            continue
        stored = name.removeprefix(WEIGHT_PREFIX)
        if wide.size < MIN_ELEMENTS:
            nodes.append(helper.make_node("Identity", [stored], [tensor.name]))
            tensor.CopyFrom(numpy_helper.from_array(wide, stored))
            continue
        narrow = wide.astype(np.float16)
        nodes.append(helper.make_node("Cast", [stored + HALF], [tensor.name], to=TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(narrow, stored + HALF))
    _put_first(model, nodes)


def name_weights(model: onnx.ModelProto, graph: StatefulGraph) -> None:
    """Give those initializers of `model` that are weights the names torch has for them; they stay as wide as there."""
    sources = _sources(graph)
    names: dict[str, str] = {}
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        name = _source_of(tensor.name, numpy_helper.to_array(tensor), sources)
        if name is not None:
            names[tensor.name] = name.removeprefix(WEIGHT_PREFIX)
            tensor.name = names[tensor.name]
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = names.get(name, name)


def _source_of(name: str, values: NDArray[np.float32], sources: dict[str, torch.Tensor]) -> str | None:
    """Name of the weight that an initializer is, by name or, where the exporter gave it another, by value.

    It does so where it folds a transposition, and of a table that is looked up one that changes nothing.
    """
    if name in sources:
        return name
    for candidate, source in sources.items():
        if candidate.endswith(TABLE) and source.shape == values.shape and np.array_equal(source.numpy(), values):
            return candidate
        if values.ndim == 2 and source.shape == values.shape[::-1] and np.array_equal(source.numpy().T, values):
            return candidate + TRANSPOSED
    return None


def build_fourier_matrices(model: onnx.ModelProto, graph: StatefulGraph) -> None:
    """Replace the folded Fourier matrix of analysis by the few numbers it is made of (`codec.models.spectral`)."""
    nodes: list[NodeProto] = []
    added: list[TensorProto] = []
    for name, buffer in graph.named_buffers():
        if not name.endswith(".basis"):
            continue
        kept = [tensor for tensor in model.graph.initializer if tensor.name == name]
        if not kept:
            raise ExportError(f"the graph has no initializer {name}")
        model.graph.initializer.remove(kept[0])
        part_nodes, part_tensors = _fourier_nodes(name, buffer)
        nodes += part_nodes
        added += part_tensors
    model.graph.initializer.extend(added)
    _put_first(model, nodes)


def _fourier_nodes(name: str, matrix: torch.Tensor) -> tuple[list[NodeProto], list[TensorProto]]:
    size = 2 * matrix.shape[0]
    samples, bins = analysis_factors(size)
    cosines, sines = fourier_tables(size)
    tables = {
        "cosines": cosines,
        "sines": sines,
        "samples": folded(samples)[:, None],
        "bins": bins[None, :],
        "sample_index": torch.arange(1, size // 2 + 1)[:, None],
        "bin_index": torch.arange(size // 2 + 1)[None, :],
        "size": torch.tensor(size),
    }
    tensors = [numpy_helper.from_array(value.numpy(), f"{name}.{key}") for key, value in tables.items()]

    def node(operator: str, inputs: tuple[str, ...], output: str, *, axis: int | None = None) -> NodeProto:
        result = output if output == name else f"{name}.{output}"
        # An attribute of None is left out by make_node.
        return helper.make_node(operator, [f"{name}.{key}" for key in inputs], [result], axis=axis)

    def steps() -> Iterator[NodeProto]:
        yield node("Mul", ("sample_index", "bin_index"), "product")
        yield node("Mod", ("product", "size"), "turn")
        yield node("Gather", ("cosines", "turn"), "real", axis=0)
        yield node("Gather", ("sines", "turn"), "imaginary", axis=0)
        yield node("Concat", ("real", "imaginary"), "plain", axis=1)
        yield node("Mul", ("plain", "bins"), "weighted")
        yield node("Mul", ("weighted", "samples"), name)

    return list(steps()), tensors


def _put_first(model: onnx.ModelProto, nodes: list[NodeProto]) -> None:
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes + rest)
