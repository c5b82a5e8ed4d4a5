"""Products with learned weights (`export.rewrite` makes them of convolutions), and their int8 form.

A signal is quantised where it arises, before its rows are laid beside each other: a byte is copied where a float was,
and once for the two products of a transposed convolution. What comes out of a product is float again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from export.calibration import Ranges
from export.graph import CODEBOOKS

_MOVES = ("Reshape", "Gather")
"""Operators that only move values: they may as well move quantised ones."""
_LEAST_SCALE = 1e-12


@dataclass(frozen=True, slots=True)
class Product:
    """One of them in a graph."""

    node: NodeProto
    weight: str
    source: str
    """Tensor that `moves`, in this order, make the first factor of."""
    moves: tuple[NodeProto, ...]


def products_of(model: ModelProto) -> list[Product]:
    """In the order of the graph, whose nodes have names (`load_graph`)."""
    constants = {tensor.name for tensor in model.graph.initializer}
    producers = {name: node for node in model.graph.node for name in node.output}
    found = []
    for node in model.graph.node:
        if node.op_type != "Gemm" or node.input[1] not in constants or CODEBOOKS in node.input[1]:
            continue
        source = node.input[0]
        moves: list[NodeProto] = []
        while (move := producers.get(source)) and move.op_type in _MOVES and move.input[0] not in constants:
            moves.insert(0, move)
            source = move.input[0]
        found.append(Product(node, node.input[1], source, tuple(moves)))
    return found


def to_int8(model: ModelProto, products: Iterable[Product], ranges: Ranges, *, folder: Path, bits: int) -> None:
    """Make `products` of `model` int8 in place, their weights `bits` bits wide, a scale for each column.

    `folder`: where the weights lie that are not in `model` itself.
    """
    rewriter = _Rewriter(model, ranges, folder=folder, greatest=2 ** (bits - 1) - 1)
    for product in products:
        rewriter.rewrite(product)
    rewriter.finish()


class _Rewriter:
    def __init__(self, model: ModelProto, ranges: Ranges, *, folder: Path, greatest: int) -> None:
        self._model, self._ranges, self._folder, self._greatest = model, ranges, folder, greatest
        self._tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        self._before: dict[str, list[NodeProto]] = {}
        """New nodes by the name of the one that they belong in front of."""
        self._behind: dict[str, NodeProto] = {}
        """A quantiser by the name of the tensor that it reads."""
        self._instead: dict[str, NodeProto] = {}
        self._quantised: dict[str, str] = {}
        """The int8 twin of each tensor that has one."""

    def rewrite(self, product: Product) -> None:
        node, weight = product.node, product.weight
        scale, _ = self._scale_of(product.source)
        place = self._before.setdefault(node.name, [])
        factor = self._moved(product)
        place.append(_dequantise(factor, product.source, f"{node.name}.factor"))
        narrow, scales = self._narrow(self._array(weight))
        self._add(f"{weight}.int8", narrow)
        self._add(f"{weight}.scale", scales)
        self._add(f"{weight}.zero", np.zeros(len(scales), np.int8))
        place.append(_dequantise(f"{weight}.int8", weight, f"{node.name}.weight", axis=1))
        inputs = [f"{node.name}.factor", f"{node.name}.weight"]
        if len(node.input) > 2:
            bias, sums = node.input[2], scales.astype(np.float64) * scale
            limit = np.iinfo(np.int32).max
            self._add(f"{bias}.int32", np.clip(np.rint(self._array(bias) / sums), -limit, limit).astype(np.int32))
            self._add(f"{bias}.scale", sums.astype(np.float32))
            self._add(f"{bias}.zero", np.zeros(len(scales), np.int32))
            place.append(_dequantise(f"{bias}.int32", bias, f"{node.name}.bias", axis=0))
            inputs.append(f"{node.name}.bias")
        self._instead[node.name] = _like(node, inputs, list(node.output), node.name)

    def finish(self) -> None:
        """Put the nodes in their places, and remove what nothing reads any more."""
        graph = self._model.graph
        nodes: list[NodeProto] = []
        for node in graph.node:
            nodes += self._before.get(node.name, [])
            nodes.append(self._instead.get(node.name, node))
            nodes += [self._behind[name] for name in node.output if name in self._behind]
        results = {value.name for value in graph.output}
        while True:
            read = {name for node in nodes for name in node.input} | results
            kept = [node for node in nodes if any(name in read for name in node.output)]
            if len(kept) == len(nodes):
                break
            nodes = kept
        del graph.node[:]
        graph.node.extend(nodes)
        unread = [index for index, tensor in enumerate(graph.initializer) if tensor.name not in read]
        for index in reversed(unread):
            del graph.initializer[index]

    def _scale_of(self, source: str) -> tuple[float, int]:
        low, high = self._ranges[source]
        scale = max((high - low) / 255, _LEAST_SCALE)
        return float(np.float32(scale)), int(np.clip(round(-low / scale), 0, 255))

    def _moved(self, product: Product) -> str:
        """Name of the quantised first factor."""
        source = product.source
        if source not in self._quantised:
            scale, zero = self._scale_of(source)
            self._add(f"{source}.scale", np.array(scale, np.float32))
            self._add(f"{source}.zero", np.array(zero, np.uint8))
            self._quantised[source] = f"{source}.uint8"
            inputs = [source, f"{source}.scale", f"{source}.zero"]
            quantiser = helper.make_node("QuantizeLinear", inputs, [f"{source}.uint8"], name=f"{source}.quantise")
            self._behind[source] = quantiser
        current = self._quantised[source]
        for move in product.moves:
            moved = move.output[0]
            if moved not in self._quantised:
                self._quantised[moved] = f"{moved}.uint8"
                twin = _like(move, [current, *move.input[1:]], [f"{moved}.uint8"], f"{move.name}.uint8")
                self._before.setdefault(move.name, []).append(twin)
            current = self._quantised[moved]
        return current

    def _narrow(self, weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        scales = np.maximum(np.abs(weight).max(axis=0) / self._greatest, _LEAST_SCALE).astype(np.float32)
        return np.clip(np.rint(weight / scales), -self._greatest, self._greatest).astype(np.int8), scales

    def _array(self, name: str) -> NDArray[np.float32]:
        array: NDArray[np.float32] = numpy_helper.to_array(self._tensors[name], base_dir=str(self._folder))
        return array

    def _add(self, name: str, array: NDArray[np.generic]) -> None:
        self._model.graph.initializer.append(numpy_helper.from_array(array, name))


def _dequantise(name: str, parameters: str, output: str, *, axis: int | None = None) -> NodeProto:
    inputs = [name, f"{parameters}.scale", f"{parameters}.zero"]
    return helper.make_node("DequantizeLinear", inputs, [output], name=f"{output}.dequantise", axis=axis)


def _like(node: NodeProto, inputs: list[str], outputs: list[str], name: str) -> NodeProto:
    """`node` with other ends."""
    twin = helper.make_node(node.op_type, inputs, outputs, name=name, domain=node.domain)
    twin.attribute.extend(node.attribute)
    return twin
