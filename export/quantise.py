"""int8 by static QDQ: scales are fixed beforehand, from what streams put through the layers. For CPUs only.

Quantised are linear layers and convolutions: nearly all of the arithmetic. Their weights are int8 with a scale per
output channel, their inputs uint8. What stays float, and why:

- states, and the logic of `active` and `reset`: an error in a state comes back in every later frame, and a row that is
  not active must keep its state bit for bit;
- Fourier matrices, filters and what leads up to them: a quiet band beside a loud one would drown in its steps;
- nano's pitch tracker, whose cents the error of the latents does not show, and its excitation, which has no weights;
- codebooks and the search in them: an entry is the meaning of a code, which both ends must agree on;
- attention scores, normalisation and biases of linear layers: hardly any work, and ranges that no one scale fits.

Of graphs that `export.rewrite` has made products of, all those are candidates (`export.products`). Of the others those
between the first learned layers and the last projections:

- all later layers would inherit the error of the first, in nano-1's decoder those that read the latent: with the map to
  the log-mel patch in int8 too, 27 dB are left of 45, for hardly any work;
- the last projection of a decoder gives log gains and angles, those of an encoder the latents that choose codes;
- ONNX Runtime has no int8 kernel for transposed convolutions on a CPU.

Which of the candidates stay float besides is chosen by the error that they make: `export.sensitivity`.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Collection
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

from codec.model_file import Half
from export.calibration import Ranges, StreamedCalibration, ranges_of
from export.frames import Frames
from export.graph import learned_part, load_graph, save_graph, stored_weight
from export.products import products_of, to_int8

QUANTISED_OPERATORS = ("MatMul", "Conv")
CALIBRATION_FRAMES = 100
"""Frames of each row that the ranges of products are taken from."""

NO_VNNI_NOTE = "this CPU lacks VNNI, where full-range int8 products may saturate: --reduced-range is the form for it"


def candidates(source: Path) -> tuple[str, ...]:
    """Names of the layers of the float32 file `source` that int8 can have, in the order of the graph.

    They are named by their weights.
    """
    model = load_graph(source, data=False)
    products = products_of(model)
    if products:
        return tuple(product.weight for product in products)
    return tuple(stored_weight(model, node) for node in _inner_layers(model))


def quantise(
    source: Path,
    target: Path,
    *,
    half: Half,
    calibration: Frames,
    reduced_range: bool,
    kept: Collection[str] = (),
    ranges: Ranges | None = None,
) -> Path:
    """Write the float32 file `source` as int8 to `target`; `calibration` [rows, N, width] is samples or codes.

    `reduced_range` keeps weights in 7 bits: without VNNI, x86 adds pairs of uint8 x int8 products in 16 bits, which
    saturate with 8. `kept`: candidates that stay float. `ranges`: of a graph of products, where they are known already.
    """
    model = load_graph(source)
    products = products_of(model)
    if products:
        chosen = [product for product in products if product.weight not in kept]
        ranges = ranges or product_ranges(source, half=half, calibration=calibration)
        to_int8(model, chosen, ranges, folder=source.parent, bits=7 if reduced_range else 8)
    else:
        layers = [node for node in _inner_layers(model) if stored_weight(model, node) not in kept]
        model = _with_quantisers(model, layers, target, StreamedCalibration(source, half, calibration), reduced_range)
    return save_graph(model, target, precision="int8")


def try_products(source: Path, *, reduced_range: bool, kept: Collection[str], ranges: Ranges) -> Path:
    """As `quantise`, for a graph of products and a moment: a file beside `source` that reads its data file too."""
    model = load_graph(source, data=False)
    chosen = [product for product in products_of(model) if product.weight not in kept]
    to_int8(model, chosen, ranges, folder=source.parent, bits=7 if reduced_range else 8)
    path = source.with_name(f"{source.stem}.trial.onnx")
    onnx.save(model, path)
    return path


def product_ranges(source: Path, *, half: Half, calibration: Frames) -> Ranges:
    """Of what goes into the products of `source`; nothing where it has none."""
    tensors = {product.source for product in products_of(load_graph(source, data=False))}
    if not tensors:
        return {}
    return ranges_of(source, sorted(tensors), half=half, calibration=calibration[:, :CALIBRATION_FRAMES])


def _inner_layers(model: ModelProto) -> list[NodeProto]:
    part = learned_part(model)
    return [node for node in part.layers if node.op_type in QUANTISED_OPERATORS and node.name not in part.first]


def _with_quantisers(
    model: ModelProto, layers: list[NodeProto], scratch: Path, reader: StreamedCalibration, reduced_range: bool
) -> ModelProto:
    """`model` with int8 forms of `layers`; `scratch` is written on the way."""
    if not layers:
        return model
    for node in layers:
        for name in node.input[1:]:
            _widen(model, name)
        _give_own_input(model, node)
    root = logging.getLogger()
    before = root.level
    # ONNX Runtime warns there that its own preprocessing was not run, twice: that would fold what `export.compact`
    # keeps small.
    root.setLevel(max(before, logging.ERROR))
    try:
        quantize_static(
            model,
            scratch,
            reader,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED_OPERATORS),
            nodes_to_quantize=[node.name for node in layers],
            per_channel=True,
            reduce_range=reduced_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # After a MatMul a bias is added in float: its sum is 32 bits wide already.
            extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
        )
    finally:
        root.setLevel(before)
    return load_graph(scratch)


def lacks_vnni() -> bool:
    """Whether this is an x86 CPU known to be without the instruction that int8 sums need to be exact."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    try:
        return "vnni" not in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def _widen(model: ModelProto, name: str) -> None:
    """Replace the float16 weight with a Cast behind it by a float32 initializer `name`, which can be quantised."""
    if any(tensor.name == name for tensor in model.graph.initializer):
        return
    (cast,) = (node for node in model.graph.node if name in node.output)
    (weight,) = (tensor for tensor in model.graph.initializer if tensor.name == cast.input[0])
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float32), name))
    model.graph.node.remove(cast)


def _give_own_input(model: ModelProto, node: NodeProto) -> None:
    """Put an Identity before a layer's input: quantisation then touches no other reader of it, a state above all."""
    own = f"{node.name}.input"
    identity = helper.make_node("Identity", [node.input[0]], [own], name=f"{node.name}.identity")
    node.input[0] = own
    model.graph.node.insert(list(model.graph.node).index(node), identity)
