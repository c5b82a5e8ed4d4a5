"""Codes to a range-coded string and back, by the tables of their layers. Every packet begins anew."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocol.entropy.range_coder import RangeDecoder, RangeEncoder
from protocol.entropy.tables import EntropyTables, LayerTable
from protocol.entropy.weights import WEIGHTS
from protocol.errors import Fault, PacketError

_Row = Sequence[int]
"""Running sums of a row's weights: V + 1 of them, from 0 to the total."""


@dataclass(frozen=True, slots=True)
class _Layer:
    rows: tuple[_Row, ...]
    classes: bytes = b""
    parent: int | None = None
    """Place of the parent's layer among those of the packet; None where it is not there, or there is none."""
    frames_back: int = 0

    def row(self, previous: Sequence[int] | None, current: Sequence[int]) -> _Row:
        source = previous if self.frames_back else current
        if self.parent is None or source is None:
            return self.rows[0]
        return self.rows[1 + self.classes[source[self.parent]]]


class CodesCoder:
    """For packets of `num_layers` layers from `first_layer` on. Immutable: threads may share it.

    Raises ValueError where the tables have fewer layers.
    """

    def __init__(self, tables: EntropyTables, *, num_layers: int, first_layer: int = 0) -> None:
        if not 0 <= first_layer < first_layer + num_layers <= tables.num_layers:
            raise ValueError(
                f"layers: expected some of {tables.num_layers}, got {first_layer} to {first_layer + num_layers - 1}"
            )
        self.codebook_size = tables.codebook_size
        self._layers = tuple(
            _layer(tables.layers[layer], tables.codebook_size, range(first_layer, first_layer + num_layers))
            for layer in range(first_layer, first_layer + num_layers)
        )

    def encode(self, codes: NDArray[np.uint16]) -> bytes:
        """The string of codes [K, N], each below the codebook size. It may be longer than they are packed."""
        encoder = RangeEncoder()
        previous: list[int] | None = None
        for current in codes.T.tolist():
            for layer, code in zip(self._layers, current, strict=True):
                row = layer.row(previous, current)
                encoder.narrow(row[code], row[code + 1] - row[code], row[-1])
            previous = current
        return encoder.finish()

    def decode(self, data: bytes, frames: int) -> NDArray[np.uint16]:
        """Codes [K, frames]; PacketError for any string but the one that `encode` makes of them.

        Takes K * frames steps whatever the bytes, and every code is below the codebook size.
        """
        decoder, encoder = RangeDecoder(data), RangeEncoder()
        by_frame: list[list[int]] = []
        previous: list[int] | None = None
        for _ in range(frames):
            current: list[int] = []
            for layer in self._layers:
                row = layer.row(previous, current)
                total = row[-1]
                code = bisect_right(row, decoder.position(total)) - 1
                start, share = row[code], row[code + 1] - row[code]
                decoder.narrow(start, share, total)
                encoder.narrow(start, share, total)
                current.append(code)
            by_frame.append(current)
            previous = current
        if encoder.finish() != data:
            raise PacketError(Fault.ENTROPY, "codes: expected the string that a writer makes of them, got another")
        return np.array(by_frame, dtype=np.uint16).T.copy()


def _layer(table: LayerTable, codebook_size: int, present: range) -> _Layer:
    if not len(table.rows):
        return _Layer((range(codebook_size + 1),))
    rows = tuple(_sums(row) for row in table.rows)
    parent = table.parent
    if parent is None or table.classes is None or parent.layer not in present:
        return _Layer(rows[:1])
    return _Layer(rows, table.classes.tobytes(), parent.layer - present.start, parent.frames_back)


def _sums(row: NDArray[np.uint8]) -> _Row:
    # An array of machine integers: a list of Python's would take nine times the memory.
    sums = array("I", [0])
    sums.extend(np.cumsum(WEIGHTS[row]).tolist())
    return sums
