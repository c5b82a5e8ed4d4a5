"""Codes of the parent that are followed alike, put into one class: a row for each would be too much to learn."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

ROUNDS: Final = 25
"""It settles sooner; the bound is for counts that make it swing."""

PRIOR_CODES: Final = 20_000
"""So many codes of equal chances are put beside those that were counted: a code never seen is no impossible one."""


def code_chances(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chances of codes that were counted so often, [V]; all above 0."""
    chances: NDArray[np.float64] = (counts + PRIOR_CODES / counts.size) / (counts.sum() + PRIOR_CODES)
    return chances


def class_chances(
    pairs: NDArray[np.float32], classes: NDArray[np.int64], number: int, fallback: NDArray[np.float64], strength: float
) -> NDArray[np.float64]:
    """Chances of a code by the class of its parent's, [number, V], drawn towards `fallback` by so many codes of it."""
    members = np.zeros((number, classes.size), dtype=np.float32)
    members[classes, np.arange(classes.size)] = 1.0
    counts = (members @ pairs).astype(np.float64)
    chances: NDArray[np.float64] = (counts + strength * fallback) / (counts.sum(axis=1, keepdims=True) + strength)
    return chances


def find_classes(
    pairs: NDArray[np.float32], number: int, fallback: NDArray[np.float64], strength: float
) -> NDArray[np.int64]:
    """The class, below `number`, of every code of the parent, [V]: in turns, each code to the class whose chances make
    what follows it shortest, and the chances of each class anew. The same counts give the same classes."""
    classes = np.random.default_rng(0).integers(0, number, len(pairs))
    for _ in range(ROUNDS):
        chances = class_chances(pairs, classes, number, fallback, strength)
        bits = pairs @ -np.log2(chances).T.astype(np.float32)
        # A code that was never seen says nothing: it stays where it is.
        better = np.where(pairs.any(axis=1), bits.argmin(axis=1), classes)
        if np.array_equal(better, classes):
            break
        classes = better
    return classes
