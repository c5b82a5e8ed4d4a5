"""What counts as a near-tie, in one stack and in several."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from codec.models.layers import ResidualQuantizer, SplitResidualQuantizer
from codec.models.ties import is_tie

LATENT = torch.tensor([1.0, 0.0])


def stack(*books: list[list[float]]) -> ResidualQuantizer:
    quantizer = ResidualQuantizer(num_layers=len(books), codebook_size=len(books[0]), dim=2)
    quantizer.codebooks.copy_(torch.tensor(books))
    return quantizer


EVEN = [[1.0, 1.0], [1.0, -1.0], [5.0, 0.0]]
"""Its first two entries are equally far from LATENT."""


def codes(*column: int) -> NDArray[np.int64]:
    return np.array(column)


def test_equally_near_entries_are_a_tie_and_excuse_the_later_layers() -> None:
    quantizer = stack(EVEN, EVEN)
    assert is_tie(quantizer, LATENT, codes(0, 2), codes(1, 0))


def test_a_nearer_entry_is_no_tie() -> None:
    assert not is_tie(stack(EVEN), LATENT, codes(0), codes(2))


def test_equal_columns_are_no_tie() -> None:
    assert not is_tie(stack(EVEN), LATENT, codes(0), codes(0))


def test_a_tie_in_one_stack_excuses_nothing_in_another() -> None:
    split = SplitResidualQuantizer([stack(EVEN), stack(EVEN, EVEN)])
    both = torch.cat([LATENT, LATENT])
    assert is_tie(split, both, codes(0, 1, 0), codes(1, 1, 0))
    assert is_tie(split, both, codes(0, 1, 0), codes(1, 0, 2))
    assert not is_tie(split, both, codes(0, 2, 0), codes(1, 0, 0))
    assert not is_tie(split, both, codes(0, 2, 0), codes(0, 0, 0))
