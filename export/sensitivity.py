"""Which layers stay float: as few as a given error allows, those first that make much of it for little work.

The error is relative: the root mean square of what int8 changes, over that of what float32 gives; 0.1 is an SNR of
20 dB. It is measured on the decoder's audio, or the encoder's latents, of speech that the calibration did not hear.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codec.model_file import Half
from codec.onnx import OnnxDecoder, OnnxEncoder
from export.calibration import CALIBRATION_STEP, Ranges, rows_of
from export.frames import Frames, decoding, encoding, in_steps
from export.graph import load_graph
from export.products import products_of
from export.quantise import candidates, product_ranges, quantise, try_products

DEFAULT_MAX_ERROR = 0.1
EVERYTHING = math.inf
"""As a limit: all candidates are int8 whatever comes."""
JUDGED_FRAMES = 25
"""Frames of each row that an error is measured on; every group of layers is measured alone."""

MIN_SIGNAL = 1e-9
"""Root mean square of a truth that counts as silent: no error can be told relative to it."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen."""

    kept: tuple[str, ...]
    """Groups of layers that stay float."""
    layers: frozenset[str]
    """Their layers, as `candidates` names them."""
    error: float
    """With these in float and all others in int8."""
    all_int8_error: float
    ranges: Ranges
    """Of what goes into products, for `quantise`: measured once."""


def choose_float(
    source: Path, *, half: Half, calibration: Frames, judged: Frames, reduced_range: bool, max_error: float
) -> Choice:
    """Keep groups of layers of the float32 file `source` in float until the error is at most `max_error`.

    `calibration` and `judged` [rows, N, width] are samples or codes, of different speech.
    """
    trial = _Trial(source, half, calibration, judged[:, :JUDGED_FRAMES], reduced_range)
    groups = grouped(candidates(source))
    everything = trial.error(())
    logger.info("error with all layers in int8: %.3f (at most %.3f wanted)", everything, max_error)
    if everything <= max_error:
        return Choice((), frozenset(), everything, everything, trial.ranges)
    every = frozenset(layer for layers in groups.values() for layer in layers)
    alone = {name: trial.error(every.difference(layers)) for name, layers in groups.items()}
    work = trial.work()
    size = {name: sum(work[layer] for layer in layers) for name, layers in groups.items()}
    order = sorted(groups, key=lambda name: alone[name] ** 2 / size[name], reverse=True)
    kept: list[str] = []
    error = everything
    while error > max_error and len(kept) < len(order):
        # Errors of different layers are hardly related: their squares add up, which tells how many to take at once.
        wanted = max_error**2 * (sum(alone[name] ** 2 for name in order) / everything**2)
        kept.append(order[len(kept)])
        while sum(alone[name] ** 2 for name in order[len(kept) :]) > wanted:
            kept.append(order[len(kept)])
        error = trial.error([layer for name in kept for layer in groups[name]])
        logger.info("error with %d of %d groups in float: %.3f", len(kept), len(order), error)
    layers = frozenset(layer for name in kept for layer in groups[name])
    return Choice(tuple(kept), layers, error, everything, trial.ranges)


def grouped(layers: Collection[str]) -> dict[str, list[str]]:
    """Layers by the part of the network they belong to: their names up to the last number, or each on its own."""
    groups: dict[str, list[str]] = {}
    for name in layers:
        part = re.match(r"(.*\.\d+)\.", name)
        groups.setdefault(part.group(1) if part else name.removesuffix(".weight"), []).append(name)
    return groups


class _Trial:
    """One float32 file, and what its int8 forms make of the same speech."""

    def __init__(self, source: Path, half: Half, calibration: Frames, judged: Frames, reduced_range: bool) -> None:
        self._source, self._half, self._calibration, self._judged = source, half, calibration, judged
        self._reduced_range = reduced_range
        self.ranges = product_ranges(source, half=half, calibration=calibration)
        self._truth = self._run(source)

    def error(self, kept: Collection[str]) -> float:
        """Relative error with all layers in int8 but `kept`."""
        if self.ranges:
            path = try_products(self._source, reduced_range=self._reduced_range, kept=kept, ranges=self.ranges)
        else:
            path = quantise(
                self._source,
                self._source.with_name(f"{self._source.stem}.trial.onnx"),
                half=self._half,
                calibration=self._calibration,
                reduced_range=self._reduced_range,
                kept=kept,
            )
        try:
            return relative_error(self._truth, self._run(path))
        finally:
            path.unlink(missing_ok=True)

    def work(self) -> dict[str, int]:
        """Products of numbers that each layer takes; without rows to count, as many as it has weights."""
        model = load_graph(self._source, data=False)
        sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in model.graph.initializer}
        products = products_of(model)
        if not products:
            return {name: sizes[name] for name in candidates(self._source)}
        sources = {product.source for product in products}
        rows = rows_of(self._source, sources, half=self._half, calibration=self._calibration)
        return {product.weight: rows[product.source] * sizes[product.weight] for product in products}

    def _run(self, path: Path) -> Frames:
        if self._half == "decoder":
            with OnnxDecoder.load(path).session(len(self._judged)) as session:
                return in_steps(decoding(session), self._judged, CALIBRATION_STEP)[0]
        with OnnxEncoder.load(path).session(len(self._judged), extra_outputs=("latents",)) as session:
            return in_steps(encoding(session), self._judged, CALIBRATION_STEP)[1]


def relative_error(truth: Frames, got: Frames) -> float:
    """Root mean square of the difference over that of `truth`."""
    signal = max(math.sqrt(float(np.square(truth, dtype=np.float64).mean())), MIN_SIGNAL)
    error = math.sqrt(float(np.square(got.astype(np.float64) - truth).mean())) / signal
    return error if math.isfinite(error) else math.inf
