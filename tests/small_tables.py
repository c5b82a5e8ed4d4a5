"""Entropy tables of made-up codecs, with a layer of every kind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocol.entropy import EntropyTables, LayerTable, Parent, quantised_row

CLASSES = 3


def small_tables(
    num_layers: int, codebook_size: int, *, weights_sha256: str = "ab" * 32, seed: int = 0
) -> EntropyTables:
    """In turns: by the frame before, by layer 0 of the same frame, by the chances of the layer alone, no table."""
    random = np.random.default_rng(seed)

    def rows(count: int) -> NDArray[np.uint8]:
        # Few codes are likely: what is drawn by `likely_codes` is coded much shorter than packed.
        return np.stack([quantised_row(random.dirichlet(np.full(codebook_size, 0.05)) + 1e-5) for _ in range(count)])

    layers = []
    for layer in range(num_layers):
        kind = layer % 4
        if kind < 2:
            parent = Parent(layer, 1) if kind == 0 else Parent(0, 0)
            classes = random.integers(0, CLASSES, codebook_size).astype(np.uint8)
            layers.append(LayerTable(rows(1 + CLASSES), parent, classes))
        else:
            layers.append(LayerTable(rows(1) if kind == 2 else np.zeros((0, 0), np.uint8)))
    return EntropyTables(codebook_size, weights_sha256, tuple(layers))


def likely_codes(tables: EntropyTables, frames: int, *, seed: int = 0) -> NDArray[np.uint16]:
    """Codes [K, frames] as the tables expect them: each is one of the eight likeliest of its row."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, tables.codebook_size, (tables.num_layers, frames), dtype=np.uint16)
    for frame in range(frames):
        for layer, table in enumerate(tables.layers):
            if len(table.rows):
                codes[layer, frame] = random.choice(np.argsort(table.rows[_row(table, codes, frame)])[-8:])
    return codes


def _row(table: LayerTable, codes: NDArray[np.uint16], frame: int) -> int:
    if table.parent is None or table.classes is None or frame < table.parent.frames_back:
        return 0
    return 1 + int(table.classes[codes[table.parent.layer, frame - table.parent.frames_back]])
