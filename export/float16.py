"""float16 for CUDA: weights and arithmetic from the first learned layer to the last projection.

What stays float32 (or float64), and why: states at the boundary, so that one state layout serves every file and a row
that is not active keeps its state bit for bit; the front end, whose quiet bands lie below float16's resolution beside
loud ones; nano's pitch tracker and excitation, and rotary angles, for all of which float16 has too few digits; the
search in the codebooks, where near entries decide; the mean square inside a norm, which overflows where values pass
255. On a CPU float16 is casts around float32 kernels: right, and slow.
"""

from __future__ import annotations

from pathlib import Path

from onnx import ModelProto, TensorProto
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.transformers.float16 import convert_float_to_float16

from export.graph import learned_part, load_graph, save_graph

GPU_NOTE = "float16 is for CUDA: the speed of this file can only be judged on a GPU"


NORM_OPERATORS = frozenset({"Pow", "ReduceMean", "Sqrt", "Reciprocal"})
"""What a root mean square is made of; the small constant added between them goes with them."""


def to_float16(source: Path, target: Path) -> Path:
    """Write the float32 file `source` with float16 arithmetic to `target`."""
    model = load_graph(source)
    inner = learned_part(model).nodes
    ours = {node.name for node in model.graph.node}
    converted: ModelProto = convert_float_to_float16(
        model, keep_io_types=True, node_block_list=sorted((ours - inner) | _norms(model))
    )
    _join_casts(converted, ours)
    ONNXModel(converted).topological_sort()
    return save_graph(converted, target, precision="fp16")


def _norms(model: ModelProto) -> set[str]:
    """Names of the nodes that compute a root mean square."""
    means = {node.output[0] for node in model.graph.node if node.op_type == "ReduceMean"}
    return {
        node.name
        for node in model.graph.node
        if node.op_type in NORM_OPERATORS or (node.op_type == "Add" and not means.isdisjoint(node.input))
    }


def _join_casts(model: ModelProto, ours: set[str]) -> None:
    """Undo what the converter does between two float32 ends: to float16 and straight back, which rounds a state.

    Also weights that are stored as float16, widened, and made narrow again. `ours` names the nodes that were there
    before it; it put its own Casts around every input, every output and every border of the float32 nodes.
    """
    stored = {tensor.name for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    casts = {
        node.output[0]: (node.input[0], node.attribute[0].i, node.name not in ours)
        for node in model.graph.node
        if node.op_type == "Cast"
    }
    sources: dict[str, str] = {}
    for name, (inside, to, added) in casts.items():
        if inside not in casts:
            continue
        origin, between, first_added = casts[inside]
        if added and first_added and (between, to) == (TensorProto.FLOAT16, TensorProto.FLOAT):
            sources[name] = origin
        if added and (between, to) == (TensorProto.FLOAT, TensorProto.FLOAT16) and origin in stored:
            sources[name] = origin
    outputs = {value.name for value in model.graph.output}
    for node in model.graph.node:
        if node.op_type == "Cast" and node.output[0] in sources and node.output[0] in outputs:
            # The name of an output has to stay: its Cast becomes one that changes nothing.
            node.input[0] = sources[node.output[0]]
            continue
        for index, name in enumerate(node.input):
            while name in sources:
                name = sources[name]
            node.input[index] = name
    _drop_unread(model, outputs)


def _drop_unread(model: ModelProto, outputs: set[str]) -> None:
    """Remove the Casts that nobody reads any more."""
    while True:
        read = outputs | {name for node in model.graph.node for name in node.input}
        unread = [node for node in model.graph.node if node.op_type == "Cast" and not read & set(node.output)]
        if not unread:
            return
        for node in unread:
            model.graph.node.remove(node)
