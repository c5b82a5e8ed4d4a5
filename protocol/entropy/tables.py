"""The tables: for each layer, how likely each code is, by what came before it. A file beside the decoder.

    offset  bytes  field
    0       4      magic, "VWE" and the byte 26
    4       1      version, 1
    5       1      layers of the codec, K
    6       4      codebook size, V, little endian
    10      32     sha-256 of the codec's weights
    42      …      K layers, each:
      0     1      rows, R; 0: every code is as likely as any other, and no more follows but two zeros
      1     1      frames back to the parent, 0 or 1; 0 where R < 2
      2     1      layer of the parent; 0 where R < 2
      3     V      class of each code of the parent, 0 … R - 2; missing where R < 2
      …     R · V  weights, a byte each, row by row: row 0 where the parent is not in the packet, 1 + class where it is

The file as a whole names the tables: the first 64 bits of its sha-256 stand in the manifest.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocol.entropy.weights import MAX_TOTAL, WEIGHTS
from protocol.errors import TablesError
from protocol.limits import MAX_CODEBOOK_SIZE, MAX_LAYERS, MAX_TABLES_BYTES

MAGIC: Final = b"VWE\x1a"
VERSION: Final = 1
MAX_ROWS: Final = 255
_HEADER: Final = struct.Struct("<4sBBI32s")
_LAYER: Final = struct.Struct("<BBB")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Parent:
    """Whose code says which row is meant: `frames_back` 0 for one of the same frame, which must be of an earlier layer,
    1 for the frame before."""

    layer: int
    frames_back: int


@dataclass(frozen=True, slots=True, eq=False)
class LayerTable:
    """Weights uint8 [R, V] of one layer; with a parent its codes' classes uint8 [V], and a row for each after row 0."""

    rows: NDArray[np.uint8]
    parent: Parent | None = None
    classes: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EntropyTables:
    """Of one codec. Raises TablesError where the parts do not fit together."""

    codebook_size: int
    weights_sha256: str
    layers: tuple[LayerTable, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise TablesError(f"expected tables of 1 to {MAX_LAYERS} layers, got {len(self.layers)}")
        if not 2 <= self.codebook_size <= MAX_CODEBOOK_SIZE:
            raise TablesError(f"expected a codebook of 2 to {MAX_CODEBOOK_SIZE} entries, got {self.codebook_size}")
        if _SHA256.fullmatch(self.weights_sha256) is None:
            raise TablesError(f"expected a sha-256 of 64 digits 0-9 a-f, got {self.weights_sha256[:40]!r}")
        for index, table in enumerate(self.layers):
            _check_layer(index, table, len(self.layers), self.codebook_size)

    @property
    def num_layers(self) -> int:
        return len(self.layers)

    @property
    def fingerprint(self) -> str:
        """What the manifest calls them: 16 hexadecimal digits."""
        return fingerprint(encode_tables(self))


def fingerprint(data: bytes) -> str:
    """The first 64 bits of the sha-256 of a file of tables, as 16 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()[:16]


def encode_tables(tables: EntropyTables) -> bytes:
    """The file."""
    weights = bytes.fromhex(tables.weights_sha256)
    parts = [_HEADER.pack(MAGIC, VERSION, tables.num_layers, tables.codebook_size, weights)]
    for table in tables.layers:
        parent = table.parent or Parent(0, 0)
        parts.append(_LAYER.pack(len(table.rows), parent.frames_back, parent.layer))
        if table.classes is not None:
            parts.append(table.classes.tobytes())
        parts.append(table.rows.tobytes())
    return b"".join(parts)


def decode_tables(data: bytes) -> EntropyTables:
    """The tables in a file's bytes; raises TablesError and nothing else, whatever they are."""
    if len(data) > MAX_TABLES_BYTES:
        raise TablesError(f"expected at most {MAX_TABLES_BYTES} bytes, got {len(data)}")
    if len(data) < _HEADER.size or data[:4] != MAGIC:
        raise TablesError("expected a file that begins as entropy tables do")
    _, version, num_layers, codebook_size, weights = _HEADER.unpack_from(data)
    if version != VERSION:
        raise TablesError(f"expected version {VERSION}, got {version}: update this program")
    reader = _Reader(data, _HEADER.size)
    layers = []
    for _ in range(num_layers):
        rows, frames_back, layer = _LAYER.unpack(reader.take(_LAYER.size))
        parent = Parent(layer, frames_back) if rows > 1 else None
        if parent is None and (frames_back or layer):
            raise TablesError("expected zeros where a layer has no parent")
        classes = reader.array(codebook_size) if parent is not None else None
        layers.append(LayerTable(reader.array(rows * codebook_size).reshape(rows, -1 if rows else 0), parent, classes))
    if reader.left:
        raise TablesError(f"expected {len(data) - reader.left} bytes, got {reader.left} more")
    return EntropyTables(codebook_size, weights.hex(), tuple(layers))


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise TablesError(f"the file is cut short: expected {count - self.left} bytes more")
        self._at += count
        return self._data[self._at - count : self._at]

    def array(self, count: int) -> NDArray[np.uint8]:
        return np.frombuffer(self.take(count), np.uint8)


def _check_layer(index: int, table: LayerTable, num_layers: int, codebook_size: int) -> None:
    rows, parent, classes = table.rows, table.parent, table.classes
    if rows.dtype != np.uint8 or rows.ndim != 2 or len(rows) > MAX_ROWS:
        raise TablesError(f"layer {index}: expected up to {MAX_ROWS} rows of bytes, got {rows.dtype} {rows.shape}")
    if len(rows):
        if rows.shape[1] != codebook_size:
            raise TablesError(f"layer {index}: expected rows of {codebook_size} weights, got {rows.shape[1]}")
        if not rows.all():
            raise TablesError(f"layer {index}: expected a weight for every code, got 0")
        heaviest = int(WEIGHTS[rows].sum(axis=1).max())
        if heaviest > MAX_TOTAL:
            raise TablesError(f"layer {index}: expected rows that weigh up to {MAX_TOTAL}, got {heaviest}")
    if (parent is None) != (len(rows) < 2) or (parent is None) != (classes is None):
        raise TablesError(f"layer {index}: expected a parent and its classes with {len(rows)} rows, or neither")
    if parent is None or classes is None:
        return
    if parent.frames_back not in (0, 1) or not 0 <= parent.layer < (num_layers if parent.frames_back else index):
        raise TablesError(f"layer {index}: expected a parent that comes before it, got {parent}")
    if classes.dtype != np.uint8 or classes.shape != (codebook_size,) or int(classes.max()) > len(rows) - 2:
        raise TablesError(f"layer {index}: expected {codebook_size} classes of {len(rows) - 1}")
