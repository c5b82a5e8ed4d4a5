"""What counts as a near-tie, in one stack and in several."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec.models.layers import ResidualQuantizer, SplitResidualQuantizer
from codec.models.nano.config import NanoConfig
from codec.models.nano.quantizer import NanoQuantizer
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


def nano() -> NanoQuantizer:
    """Two layers of sound, each in a band of its own, with the entries of EVEN; contours of 110, 220 and 440 Hz."""
    config = NanoConfig(num_layers=3, codebook_size=3, codebook_dim=2, bands=(0, 1))
    quantizer = NanoQuantizer(config)
    quantizer.sound.codebooks.copy_(torch.tensor([EVEN, EVEN]))
    quantizer.contour_codebooks.copy_(torch.tensor([[110.0], [220.0], [440.0]]))
    return quantizer


def frame(octaves: float, voicing: float = 1.0) -> Tensor:
    """A latent whose bands are both LATENT, with a level pitch."""
    return torch.cat([LATENT, LATENT, torch.full((8,), octaves), torch.full((8,), voicing)])


def test_a_tie_in_one_band_of_nano_is_one_whichever_layer_it_is_in() -> None:
    assert is_tie(nano(), frame(2.0), codes(0, 1, 0), codes(1, 1, 0))
    assert is_tie(nano(), frame(2.0), codes(0, 1, 0), codes(0, 1, 1))
    assert not is_tie(nano(), frame(2.0), codes(0, 1, 0), codes(0, 1, 2))


def test_two_contours_are_a_tie_where_the_pitch_is_halfway_between_them_but_for_rounding() -> None:
    assert is_tie(nano(), frame(1.5), codes(0, 0, 0), codes(0, 1, 0))
    assert is_tie(nano(), frame(1.5 + 5e-6), codes(0, 0, 0), codes(0, 1, 0))
    assert not is_tie(nano(), frame(1.5 + 5e-5), codes(0, 0, 0), codes(0, 1, 0))
    assert not is_tie(nano(), frame(1.5), codes(0, 0, 0), codes(0, 2, 0))


def test_contours_are_all_alike_where_nothing_is_voiced() -> None:
    assert is_tie(nano(), frame(1.0, voicing=0.0), codes(0, 0, 0), codes(0, 2, 0))
    assert not is_tie(nano(), frame(1.0, voicing=1e-4), codes(0, 0, 0), codes(0, 2, 0))


def test_a_tie_of_the_sound_excuses_no_other_pitch_nor_the_other_way_round() -> None:
    assert is_tie(nano(), frame(1.5), codes(0, 0, 0), codes(1, 1, 0))
    assert not is_tie(nano(), frame(1.0), codes(0, 0, 0), codes(1, 1, 0))
    assert not is_tie(nano(), frame(1.5), codes(0, 0, 0), codes(2, 1, 0))
