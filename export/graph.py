"""What the variants need to know about an exported graph: where its layers with learned weights begin and end.

The files of `export_half` hold every learned weight as an initializer, nano's with a Cast (or Identity) behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import ModelProto, NodeProto, StringStringEntryProto

from export.external import keeps_data_apart, save_model

LINEAR_OPERATORS = frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose"})
CODEBOOKS = "codebooks"
"""In the name of a table of entries: looked up and searched, not a layer."""
TRACKER = ".tracker."
"""In the names of the weights of nano's pitch tracker: cents count there, and it is small beside the rest."""
FIXED = "side."
"""Before the names of matrices that are not learned (spectra, filters): the exporter's own names for them."""


@dataclass(frozen=True, slots=True)
class LearnedPart:
    """The part of a graph from its first learned layer up to its last projection, that one excluded."""

    layers: tuple[NodeProto, ...]
    """Linear layers and convolutions whose second input is a learned weight, in the order of the graph; none of those
    of nano's pitch tracker."""
    first: frozenset[str]
    """Names of those of the layers that no learned layer leads up to."""
    nodes: frozenset[str]
    """Names of the nodes between: they depend on such a layer, and the last projection on them; `layers` included."""


def load_graph(path: Path, *, data: bool = True) -> ModelProto:
    """The model at `path`, every node with a name of its own: tools address nodes by name.

    `data` False leaves weights that lie in a file beside it there.
    """
    model = onnx.load(path, load_external_data=data)
    taken: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}.{index}"
        taken.add(node.name)
    return model


def save_graph(model: ModelProto, path: Path, *, precision: str) -> Path:
    """Check and write a variant, its metadata saying `precision`."""
    _precision_entry(model).value = precision
    # What shape inference of the tools noted is no part of the file, and wrong once an input's shape is another.
    del model.graph.value_info[:]
    return save_model(model, path, external=keeps_data_apart(model))


def precision_of(model: ModelProto) -> str:
    """What the metadata say."""
    return _precision_entry(model).value


def _precision_entry(model: ModelProto) -> StringStringEntryProto:
    entry: StringStringEntryProto
    (entry,) = (entry for entry in model.metadata_props if entry.key == "voxwire.precision")
    return entry


def stored_weight(model: ModelProto, layer: NodeProto) -> str:
    """Name of the initializer that the weight of `layer` is, or is widened from."""
    name: str = layer.input[1]
    for node in model.graph.node:
        if name in node.output:
            return str(node.input[0])
    return name


def learned_part(model: ModelProto) -> LearnedPart:
    """See `LearnedPart`. The nodes need names (`load_graph`)."""
    weights = {tensor.name for tensor in model.graph.initializer if _is_of_a_layer(tensor.name)}
    weights |= {
        node.output[0] for node in model.graph.node if node.op_type in ("Cast", "Identity") and node.input[0] in weights
    }
    linear = [n for n in model.graph.node if n.op_type in LINEAR_OPERATORS and n.input[1] in weights]
    producers = {name: node for node in model.graph.node for name in node.output}
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def after(nodes: Iterable[NodeProto]) -> set[str]:
        return _reachable(nodes, lambda node: [r for name in node.output for r in readers.get(name, [])])

    def before(nodes: Iterable[NodeProto]) -> set[str]:
        return _reachable(nodes, lambda node: [producers[name] for name in node.input if name in producers])

    names = {node.name for node in linear}
    last = [node for node in linear if not after([node]) & names]
    later = after(linear)
    inner = (later | names) & before(last)
    layers = tuple(node for node in linear if node.name in inner)
    return LearnedPart(layers, first=frozenset(node.name for node in layers) - later, nodes=frozenset(inner))


def _is_of_a_layer(name: str) -> bool:
    """Whether the initializer `name` may be the weight of a learned layer that other arithmetic than float32 suits."""
    return not name.startswith(FIXED) and TRACKER not in name and CODEBOOKS not in name


def _reachable(nodes: Iterable[NodeProto], neighbours: Callable[[NodeProto], list[NodeProto]]) -> set[str]:
    """Names of the nodes that `neighbours` leads to, the starting ones only where a path leads back to them."""
    found: set[str] = set()
    todo = [other for node in nodes for other in neighbours(node)]
    while todo:
        node = todo.pop()
        if node.name not in found:
            found.add(node.name)
            todo += neighbours(node)
    return found
