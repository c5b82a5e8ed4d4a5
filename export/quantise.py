"""int8 by static QDQ: scales are fixed beforehand, from what streams put through the layers. For CPUs only.

Quantised are the linear layers and convolutions between the first learned layer and the last projection: nearly all of
the arithmetic. Their weights are int8 with a scale per output channel, their inputs uint8. What stays float, and why:

- states, and the logic of `active` and `reset`: an error in a state comes back in every later frame, and a row that is
  not active must keep its state bit for bit;
- the Fourier matrices and the log-mel front end: a quiet band beside a loud one would drown in the loud one's steps;
- codebooks and the search in them: an entry is the meaning of a code, which both ends must agree on;
- the first layer (of a decoder the projection of the entries' sum): all later layers would inherit its error;
- the last projection: of a decoder it gives phases and log magnitudes, of an encoder the latents that choose codes;
- attention scores, normalisation and biases of linear layers: hardly any work, and ranges that no one scale fits;
- transposed convolutions: ONNX Runtime has no int8 kernel for them on a CPU.

Measured on nano-1's decoder: with the first layer in int8 too, 3 dB are lost for nothing gained.
"""

from __future__ import annotations

import logging
import platform
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from codec.model_file import DATA_INPUT, NEW_STATE_PREFIX, Half
from export.frames import Frames
from export.graph import learned_part, load_graph, save_graph

QUANTISED_OPERATORS = ("MatMul", "Conv")
CALIBRATION_STEP = 5
"""Frames a step while calibrating; the layers see the same numbers whatever the step."""

NO_VNNI_NOTE = "this CPU lacks VNNI, where full-range int8 products may saturate: --reduced-range is the form for it"


class StreamedCalibration(CalibrationDataReader):  # type: ignore[misc]
    """Feeds of the float32 graph as a stream has them: every step's states are those that the steps before left.

    `data` [rows, N, width]: samples or codes; see `export.frames`. Iterated once.
    """

    def __init__(self, source: Path, half: Half, data: Frames) -> None:
        self._runtime = ort.InferenceSession(source, providers=["CPUExecutionProvider"])
        self._half, self._data, self._at = half, data, 0
        rows = len(data)
        self._feed: dict[str, NDArray[np.generic]] = {
            value.name: np.zeros((rows, *value.shape[1:]), dtype=_NUMPY_TYPES[value.type])
            for value in self._runtime.get_inputs()
            if value.name != DATA_INPUT[half][0]
        }
        self._feed["active"] = np.ones(rows, dtype=np.bool_)
        self._outputs = [value.name for value in self._runtime.get_outputs()]

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        """Inputs of the next step, or None after the last."""
        if self._at >= self._data.shape[1]:
            return None
        piece = self._data[:, self._at : self._at + CALIBRATION_STEP]
        self._at += CALIBRATION_STEP
        data = piece.reshape(len(piece), -1) if self._half == "encoder" else piece.transpose(0, 2, 1)
        feed = self._feed | {DATA_INPUT[self._half][0]: np.ascontiguousarray(data)}
        results = dict(zip(self._outputs, self._runtime.run(None, feed), strict=True))
        for name in self._feed:
            if NEW_STATE_PREFIX + name in results:
                self._feed[name] = results[NEW_STATE_PREFIX + name]
        return feed


_NUMPY_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}


def quantise(source: Path, target: Path, *, half: Half, calibration: Frames, reduced_range: bool) -> Path:
    """Write the float32 file `source` as int8 to `target`; `calibration` [rows, N, width] is samples or codes.

    `reduced_range` keeps weights in 7 bits: without VNNI, x86 adds pairs of uint8 x int8 products in 16 bits, which
    saturate with 8.
    """
    model = load_graph(source)
    layers = [node for node in learned_part(model).layers[1:] if node.op_type in QUANTISED_OPERATORS]
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
            target,
            StreamedCalibration(source, half, calibration),
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
    return save_graph(load_graph(target), target, precision="int8")


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
