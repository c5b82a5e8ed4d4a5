"""Which table each layer gets. What is chosen has to pay on a corpus that it was not learned from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export.entropy.classes import class_chances, code_chances, find_classes
from export.entropy.transitions import Corpus, code_counts, pair_counts
from export.errors import ExportError
from protocol.entropy import LayerTable, Parent, quantised_row

MAX_CODEBOOK_SIZE: Final = 4096
"""Pairs of codes are counted in a square of it: 64 MiB for 4096."""

TRIAL_CLASSES: Final = 8
CLASSES: Final = (8, 24, 64)
"""Tried for the best parents; so many rows a layer."""
BEST_PARENTS: Final = 2
STRENGTHS: Final = (500.0, 2000.0)
"""Codes of its layer's own chances that every class begins with."""
ALIKE_SHARES: Final = (0.0, 0.1)
"""Of the chances, that is spread over all codes alike: other speech is never quite what was learned."""

WORTH_BITS: Final = 0.05
"""A code: what a table, or a larger one, has to save to be shipped. A row has as many bytes as the codebook codes."""


@dataclass(frozen=True, slots=True)
class LearnedLayer:
    """A layer's table, and what its codes cost on corpora it was not learned from, in bits; `classes` 0: no parent."""

    layer: int
    table: LayerTable
    classes: int
    held_out_bits: float
    plain_bits: float


@dataclass(frozen=True, slots=True)
class _Form:
    """How a table may be made. No parent: one row; no strength either: no table."""

    parent: Parent | None = None
    classes: int = 0
    strength: float = 0.0
    alike_share: float = 0.0


class LayerLearner:
    """Learns one layer from two corpora or more. Raises ExportError for fewer, or for codebooks that are too large."""

    def __init__(self, corpora: Sequence[Corpus], layer: int, codebook_size: int) -> None:
        if len(corpora) < 2:
            raise ExportError(f"Tables are learned from 2 corpora or more, got {len(corpora)}")
        if codebook_size > MAX_CODEBOOK_SIZE:
            raise ExportError(f"Tables are learned for codebooks up to {MAX_CODEBOOK_SIZE} codes, got {codebook_size}")
        self._corpora, self._layer, self._size = corpora, layer, codebook_size
        self._plain_bits = math.log2(codebook_size)
        self._codes = [code_counts(corpus, layer, codebook_size) for corpus in corpora]
        self._all_codes: NDArray[np.float64] = np.sum(self._codes, axis=0)

    def learn(self, progress: Callable[[], None] = lambda: None) -> LearnedLayer:
        """The cheapest form on held-out speech, or a smaller one that is hardly dearer; its table from all corpora.

        progress: called after every parent that was tried.
        """
        costs: dict[_Form, float] = {_Form(): self._plain_bits, _Form(strength=1.0): self._alone()}
        trials: dict[Parent, float] = {}
        for parent in self._parents():
            form = _Form(parent, TRIAL_CLASSES, STRENGTHS[-1], ALIKE_SHARES[-1])
            trials[parent] = self._try_forms(parent, [form])[form]
            progress()
        for parent in sorted(trials, key=trials.__getitem__)[:BEST_PARENTS]:
            forms = [_Form(parent, *rest) for rest in product(CLASSES, STRENGTHS, ALIKE_SHARES)]
            costs |= self._try_forms(parent, forms)
        form = _frugal(costs)
        return LearnedLayer(self._layer, self._table(form), form.classes, costs[form], self._plain_bits)

    def _parents(self) -> list[Parent]:
        return [Parent(self._layer, 1), *(Parent(layer, 0) for layer in range(self._layer))]

    def _alone(self) -> float:
        costs = [_bits(held, code_chances(self._all_codes - held)) for held in self._codes]
        return sum(costs) / len(costs)

    def _try_forms(self, parent: Parent, forms: Sequence[_Form]) -> Mapping[_Form, float]:
        """Bits a code by form, mean over the corpora, each coded by what was learned from the others."""
        pairs = [pair_counts(corpus, self._layer, parent, self._size) for corpus in self._corpora]
        all_pairs = np.sum(pairs, axis=0)
        costs = dict.fromkeys(forms, 0.0)
        for held_pairs, held_codes in zip(pairs, self._codes, strict=True):
            others = all_pairs - held_pairs
            fallback = code_chances(self._all_codes - held_codes)
            found: dict[tuple[int, float], tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
            for form in forms:
                key = (form.classes, form.strength)
                if key not in found:
                    found[key] = _learn(others, form, fallback)
                classes, chances = found[key]
                costs[form] += _bits(held_pairs, _mixed(chances, form)[classes]) / len(pairs)
        return costs

    def _table(self, form: _Form) -> LayerTable:
        if not form.strength:
            return LayerTable(np.zeros((0, 0), np.uint8))
        fallback = code_chances(self._all_codes)
        # Without its parent a code is coded by chances that were not asked whether they pay: where they do not, alike.
        alone = fallback if self._alone() < self._plain_bits else np.full(self._size, 1 / self._size)
        if form.parent is None:
            return LayerTable(quantised_row(alone)[np.newaxis])
        pairs = np.sum([pair_counts(corpus, self._layer, form.parent, self._size) for corpus in self._corpora], axis=0)
        classes, chances = _learn(pairs, form, fallback)
        rows = np.stack([quantised_row(row) for row in (alone, *_mixed(chances, form))])
        return LayerTable(rows, form.parent, classes.astype(np.uint8))


def _learn(
    pairs: NDArray[np.float32], form: _Form, fallback: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The class of every code of the parent, and the chances of each class."""
    classes = find_classes(pairs, form.classes, fallback, form.strength)
    return classes, class_chances(pairs, classes, form.classes, fallback, form.strength)


def _mixed(chances: NDArray[np.float64], form: _Form) -> NDArray[np.float64]:
    mixed: NDArray[np.float64] = (1 - form.alike_share) * chances + form.alike_share / chances.shape[1]
    return mixed


def _bits(counts: NDArray[np.floating], chances: NDArray[np.float64]) -> float:
    """Bits a code where these were counted and coded by those chances."""
    return float(-(counts * np.log2(chances)).sum() / max(1.0, float(counts.sum())))


def _frugal(costs: Mapping[_Form, float]) -> _Form:
    """The form with fewest rows among those that cost no more than WORTH_BITS above the best."""
    bound = min(costs.values()) + WORTH_BITS
    good = [form for form in costs if costs[form] <= bound]
    return min(good, key=lambda form: (form.strength > 0, form.classes, costs[form]))
