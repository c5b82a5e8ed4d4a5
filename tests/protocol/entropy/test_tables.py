from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocol.entropy import (
    MAX_TOTAL,
    WEIGHTS,
    EntropyTables,
    LayerTable,
    Parent,
    decode_tables,
    encode_tables,
    fingerprint,
    quantised_row,
)
from protocol.errors import TablesError
from protocol.limits import MAX_TABLES_BYTES
from tests.small_tables import small_tables

TABLES = small_tables(5, 40)
FILE = encode_tables(TABLES)


def ones(*shape: int) -> NDArray[np.uint8]:
    return np.ones(shape, np.uint8)


def test_a_file_reads_as_it_was_written() -> None:
    read = decode_tables(FILE)
    assert encode_tables(read) == FILE
    assert (read.num_layers, read.codebook_size, read.weights_sha256) == (5, 40, "ab" * 32)
    assert [table.parent for table in read.layers] == [Parent(0, 1), Parent(0, 0), None, None, Parent(4, 1)]
    np.testing.assert_array_equal(read.layers[1].rows, TABLES.layers[1].rows)


def test_the_fingerprint_is_the_beginning_of_the_file_s_sha256() -> None:
    assert TABLES.fingerprint == fingerprint(FILE) == hashlib.sha256(FILE).hexdigest()[:16]
    assert small_tables(5, 40, seed=1).fingerprint != TABLES.fingerprint


def test_every_file_that_is_cut_short_or_too_long_is_refused() -> None:
    for end in range(len(FILE)):
        with pytest.raises(TablesError):
            decode_tables(FILE[:end])
    with pytest.raises(TablesError, match="1 more"):
        decode_tables(FILE + b"\0")


@given(st.data())
def test_a_damaged_file_is_refused_or_holds_sound_tables(data: st.DataObject) -> None:
    damaged = bytearray(FILE)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(FILE) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = decode_tables(bytes(damaged))
    except TablesError:
        return
    assert encode_tables(read) == damaged


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (0, 0, "begins as entropy tables do"),
        (4, 2, "expected version 1, got 2"),
        (5, 6, "cut short"),
        (43, 2, "a parent that comes before it"),
        (44, 9, "a parent that comes before it"),
        (45, 3, "40 classes of 3"),
        (85, 0, "a weight for every code"),
        (85, 255, "weigh up to 65536"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(place: int, value: int, words: str) -> None:
    damaged = bytearray(FILE)
    damaged[place] = value
    with pytest.raises(TablesError, match=words):
        decode_tables(bytes(damaged))


def test_a_file_that_is_too_large_is_not_looked_into() -> None:
    with pytest.raises(TablesError, match="at most"):
        decode_tables(FILE + bytes(MAX_TABLES_BYTES))


@pytest.mark.parametrize(
    "layers",
    [
        (),
        (LayerTable(ones(1, 7)),),
        (LayerTable(ones(2, 8)),),
        (LayerTable(ones(1, 8), Parent(0, 1), ones(8)),),
        (LayerTable(ones(2, 8), Parent(0, 1)),),
        (LayerTable(ones(2, 8), Parent(0, 0), 0 * ones(8)),),
        (LayerTable(ones(1, 8).astype(np.int64)),),
        (LayerTable(ones(1, 8)[0]),),
    ],
    ids=["none", "row length", "no parent", "no row", "no classes", "its own parent", "no bytes", "no rows"],
)
def test_tables_whose_parts_do_not_fit_are_refused(layers: tuple[LayerTable, ...]) -> None:
    with pytest.raises(TablesError):
        EntropyTables(8, "ab" * 32, layers)


@pytest.mark.parametrize("change", [{"codebook_size": 1}, {"weights_sha256": "AB" * 32}])
def test_a_head_out_of_range_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(TablesError):
        dataclasses.replace(TABLES, **change)  # type: ignore[arg-type]


def test_weights_rise_with_their_bytes_by_a_sixteenth_at_most() -> None:
    assert WEIGHTS[:32].tolist() == list(range(32))
    steps = np.diff(WEIGHTS)
    assert (steps >= 1).all()
    assert (16 * steps[16:] <= WEIGHTS[16:-1]).all()


@given(st.integers(2, 3000), st.integers(0, 999), st.floats(0.01, 10.0))
def test_a_row_is_near_its_chances_and_never_too_heavy(size: int, seed: int, spread: float) -> None:
    chances = np.random.default_rng(seed).dirichlet(np.full(size, spread)) + 1e-9
    row = quantised_row(chances)
    assert row.all()
    total = int(WEIGHTS[row].sum())
    assert total <= MAX_TOTAL
    chances /= chances.sum()
    lost_bits = float((chances * np.log2(chances * total / WEIGHTS[row])).sum())
    assert lost_bits < 0.2
