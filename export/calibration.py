"""What streams put through a graph: the feeds of their steps, and the ranges that its tensors have there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper
from onnxruntime.quantization import CalibrationDataReader

from codec.model_file import DATA_INPUT, NEW_STATE_PREFIX, Half
from export.frames import Frames
from export.graph import load_graph

CALIBRATION_STEP = 5
"""Frames a step while calibrating; the layers see the same numbers whatever the step."""

Ranges = Mapping[str, tuple[float, float]]
"""Least and greatest value of each tensor, zero always among them."""

_NUMPY_TYPES = {
    "tensor(double)": np.float64,
    "tensor(float)": np.float32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


class StreamedCalibration(CalibrationDataReader):  # type: ignore[misc]
    """Feeds of the float32 graph as a stream has them: every step's states are those that the steps before left.

    `data` [rows, N, width]: samples or codes; see `export.frames`. Iterated once.
    """

    def __init__(self, source: Path, half: Half, data: Frames) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._runtime = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self._half, self._data, self._at = half, data, 0
        rows = len(data)
        self._feed: dict[str, NDArray[np.generic]] = {
            value.name: np.zeros((rows, *value.shape[1:]), dtype=_NUMPY_TYPES[value.type])
            for value in self._runtime.get_inputs()
            if value.name != DATA_INPUT[half][0]
        }
        self._feed["active"] = np.ones(rows, dtype=np.bool_)
        self._outputs = [value.name for value in self._runtime.get_outputs()]
        self.results: dict[str, NDArray[Any]] = {}
        """What the graph gave for the feed that `get_next` returned last."""

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        """Inputs of the next step, or None after the last."""
        if self._at >= self._data.shape[1]:
            return None
        piece = self._data[:, self._at : self._at + CALIBRATION_STEP]
        self._at += CALIBRATION_STEP
        data = piece.reshape(len(piece), -1) if self._half == "encoder" else piece.transpose(0, 2, 1)
        feed = self._feed | {DATA_INPUT[self._half][0]: np.ascontiguousarray(data)}
        self.results = dict(zip(self._outputs, self._runtime.run(None, feed), strict=True))
        for name in self._feed:
            if NEW_STATE_PREFIX + name in self.results:
                self._feed[name] = self.results[NEW_STATE_PREFIX + name]
        return feed


def ranges_of(source: Path, tensors: Iterable[str], *, half: Half, calibration: Frames) -> Ranges:
    """The ranges that `tensors` of the float32 file `source` have while it streams `calibration`."""
    extremes = {name: (f"{name}.least", f"{name}.greatest") for name in tensors}
    found = dict.fromkeys(extremes, (0.0, 0.0))
    nodes = [
        helper.make_node(operator, [name], [output], keepdims=0)
        for name, outputs in extremes.items()
        for operator, output in zip(("ReduceMin", "ReduceMax"), outputs, strict=True)
    ]
    for results in _watched(source, nodes, TensorProto.FLOAT, half=half, calibration=calibration):
        for name, (least, greatest) in extremes.items():
            low, high = found[name]
            found[name] = min(low, float(results[least])), max(high, float(results[greatest]))
    return found


def rows_of(source: Path, tensors: Iterable[str], *, half: Half, calibration: Frames) -> dict[str, int]:
    """Rows that `tensors` [..., C] of the file `source` have in a step of CALIBRATION_STEP frames."""
    shapes = {name: f"{name}.shape" for name in tensors}
    nodes = [helper.make_node("Shape", [name], [output]) for name, output in shapes.items()]
    step = calibration[:, :CALIBRATION_STEP]
    (results,) = _watched(source, nodes, TensorProto.INT64, half=half, calibration=step)
    return {name: int(np.prod(results[output][:-1])) for name, output in shapes.items()}


def _watched(
    source: Path, nodes: list[NodeProto], kind: int, *, half: Half, calibration: Frames
) -> Iterator[dict[str, NDArray[Any]]]:
    """What the graph gives at each step, the results of `nodes` of type `kind` besides."""
    model = load_graph(source, data=False)
    model.graph.node.extend(nodes)
    model.graph.output.extend(helper.make_tensor_value_info(node.output[0], kind, None) for node in nodes)
    # Beside the source, whose data file it reads.
    watched = source.with_name(f"{source.stem}.watched.onnx")
    try:
        onnx.save(model, watched)
        reader = StreamedCalibration(watched, half, calibration)
        while reader.get_next() is not None:
            yield reader.results
    finally:
        watched.unlink(missing_ok=True)
