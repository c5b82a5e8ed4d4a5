"""What is learned from codes whose rule is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from export.entropy.learning import MAX_CODEBOOK_SIZE, LayerLearner
from export.entropy.transitions import Corpus
from export.errors import ExportError
from protocol.entropy import CodesCoder, EntropyTables, LayerTable, Parent

SIZE = 64


def made_up_codes(seed: int, frames: int = 6000) -> NDArray[np.uint16]:
    """Layer 0 stays in its half of the codebook; layer 1 is in the half of layer 0; layer 2 is anything; layer 3 is
    mostly small."""
    random = np.random.default_rng(seed)
    half = np.cumsum(random.random(frames) < 0.05) % 2
    first = half * SIZE // 2 + random.integers(0, SIZE // 2, frames)
    second = (first * 2 // SIZE) * SIZE // 2 + random.integers(0, SIZE // 2, frames)
    third = random.integers(0, SIZE, frames)
    fourth = np.minimum(random.geometric(0.2, frames) - 1, SIZE - 1)
    return np.stack([first, second, third, fourth]).astype(np.uint16)


@pytest.fixture(scope="module")
def corpora() -> list[Corpus]:
    """Long enough for the prior of 20,000 codes to matter little."""
    return [
        Corpus(f"corpus {number}", tuple(made_up_codes(10 * number + part, 100_000) for part in range(8)))
        for number in range(3)
    ]


def learn(corpora: list[Corpus], layer: int) -> LayerTable:
    return LayerLearner(corpora, layer, SIZE).learn().table


def test_a_layer_that_follows_itself_has_the_frame_before_as_parent(corpora: list[Corpus]) -> None:
    learned = LayerLearner(corpora, 0, SIZE).learn()
    assert learned.table.parent == Parent(0, 1)
    assert learned.plain_bits == 6
    truth = 5 - 0.95 * math.log2(0.95) - 0.05 * math.log2(0.05)
    assert truth - 0.01 < learned.held_out_bits < truth + 0.05
    classes = learned.table.classes
    assert classes is not None
    assert not set(classes[: SIZE // 2]) & set(classes[SIZE // 2 :])


def test_a_layer_that_follows_another_has_that_one_of_the_same_frame_as_parent(corpora: list[Corpus]) -> None:
    assert learn(corpora, 1).parent == Parent(0, 0)


def test_a_layer_that_follows_nothing_has_no_table(corpora: list[Corpus]) -> None:
    assert len(learn(corpora, 2).rows) == 0


def test_a_layer_of_uneven_codes_has_one_row(corpora: list[Corpus]) -> None:
    table = learn(corpora, 3)
    assert (len(table.rows), table.parent) == (1, None)
    assert table.rows[0, 0] > table.rows[0, 10] > table.rows[0, 50]


def test_what_is_learned_codes_speech_of_the_same_rule_shorter_than_packed(corpora: list[Corpus]) -> None:
    tables = EntropyTables(SIZE, "ab" * 32, tuple(learn(corpora, layer) for layer in range(4)))
    coder = CodesCoder(tables, num_layers=4)
    codes = made_up_codes(99, 2500)
    strings = [coder.encode(codes[:, first : first + 25]) for first in range(0, 2500, 25)]
    for number, string in enumerate(strings):
        np.testing.assert_array_equal(coder.decode(string, 25), codes[:, 25 * number : 25 * number + 25])
    bits_per_frame = 8 * sum(map(len, strings)) / 2500
    assert 5.3 + 5 + 6 + 3.6 < bits_per_frame < 5.3 + 5 + 6 + 3.6 + 0.7


def test_the_same_tokens_give_the_same_tables(corpora: list[Corpus]) -> None:
    first, second = learn(corpora, 0), learn(corpora, 0)
    np.testing.assert_array_equal(first.rows, second.rows)
    assert first.classes is not None
    assert second.classes is not None
    np.testing.assert_array_equal(first.classes, second.classes)


def test_what_pays_only_where_it_was_learned_is_not_taken() -> None:
    """Each corpus has a favourite of its own: on the others it costs more than it saves here."""
    random = np.random.default_rng(0)
    corpora = []
    for number in range(3):
        codes = random.integers(0, SIZE, (1, 60_000), dtype=np.uint16)
        codes[0, random.random(60_000) < 0.3] = number
        corpora.append(Corpus(str(number), (codes,)))
    assert len(LayerLearner(corpora, 0, SIZE).learn().table.rows) == 0


def test_a_codebook_too_large_to_count_pairs_of_and_a_single_corpus_are_refused(corpora: list[Corpus]) -> None:
    with pytest.raises(ExportError, match="up to 4096"):
        LayerLearner(corpora, 0, MAX_CODEBOOK_SIZE + 1)
    with pytest.raises(ExportError, match="2 corpora or more, got 1"):
        LayerLearner(corpora[:1], 0, SIZE)
