"""Which code follows which: the counts that tables are learned from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocol.entropy import Parent


@dataclass(frozen=True, slots=True)
class Corpus:
    """Recordings of one source, codes [K, T] each: what is learned on the others has to pay on it."""

    name: str
    recordings: tuple[NDArray[np.uint16], ...]

    @property
    def frames(self) -> int:
        """Of all of them."""
        return sum(codes.shape[1] for codes in self.recordings)


def code_counts(corpus: Corpus, layer: int, codebook_size: int) -> NDArray[np.float64]:
    """How often each code of `layer` occurs, [V]."""
    counts = np.zeros(codebook_size)
    for codes in corpus.recordings:
        counts += np.bincount(codes[layer], minlength=codebook_size)
    return counts


def pair_counts(corpus: Corpus, layer: int, parent: Parent, codebook_size: int) -> NDArray[np.float32]:
    """How often each code of `layer` occurs with each code of its parent, [V of the parent, V]."""
    counts = np.zeros(codebook_size * codebook_size, dtype=np.float32)
    for before, after in _pairs(corpus.recordings, layer, parent):
        counts += np.bincount(before * codebook_size + after, minlength=codebook_size * codebook_size)
    return counts.reshape(codebook_size, codebook_size)


def _pairs(
    recordings: Iterable[NDArray[np.uint16]], layer: int, parent: Parent
) -> Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    for codes in recordings:
        frames = codes.shape[1] - parent.frames_back
        if frames > 0:
            yield codes[parent.layer, :frames].astype(np.int64), codes[layer, parent.frames_back :].astype(np.int64)
