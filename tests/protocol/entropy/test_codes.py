from __future__ import annotations

import dataclasses
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocol.entropy import CodesCoder, EntropyTables, LayerTable, Parent, decode_tables, encode_tables
from protocol.errors import PacketError
from protocol.packing import bits_per_code, packed_bytes
from tests.small_tables import likely_codes, small_tables

LAYERS, SIZE = 6, 300
TABLES = small_tables(LAYERS, SIZE)
CODER = CodesCoder(TABLES, num_layers=LAYERS)


def some_codes(random: np.random.Generator, frames: int, layers: int = LAYERS) -> NDArray[np.uint16]:
    return random.integers(0, SIZE, (layers, frames), dtype=np.uint16)


@given(st.integers(1, 25), st.integers(0, 2**32 - 1))
def test_codes_come_back_whatever_they_are(frames: int, seed: int) -> None:
    codes = some_codes(np.random.default_rng(seed), frames)
    got = CODER.decode(CODER.encode(codes), frames)
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got, codes)


@given(st.integers(0, LAYERS - 1), st.integers(1, LAYERS), st.integers(1, 5), st.integers(0, 99))
def test_any_run_of_layers_is_a_tier_that_reads_alone(first: int, count: int, frames: int, seed: int) -> None:
    count = min(count, LAYERS - first)
    coder = CodesCoder(TABLES, first_layer=first, num_layers=count)
    codes = some_codes(np.random.default_rng(seed), frames, count)
    np.testing.assert_array_equal(coder.decode(coder.encode(codes), frames), codes)


def test_every_packet_is_read_alone() -> None:
    """The second half of a recording is the same string, and reads the same, whether the first came or not."""
    codes = likely_codes(TABLES, 10)
    first, second = CODER.encode(codes[:, :5]), CODER.encode(codes[:, 5:])
    fresh = CodesCoder(decode_tables(encode_tables(TABLES)), num_layers=LAYERS)
    np.testing.assert_array_equal(fresh.decode(second, 5), codes[:, 5:])
    np.testing.assert_array_equal(fresh.decode(first, 5), codes[:, :5])
    assert fresh.encode(codes[:, 5:]) == second


def test_likely_codes_are_shorter_than_packed() -> None:
    codes = likely_codes(TABLES, 25)
    assert len(CODER.encode(codes)) < 0.9 * packed_bytes(LAYERS, 25, bits_per_code(SIZE))


def test_the_frame_before_and_the_same_frame_make_codes_shorter() -> None:
    """A parent that says which of two codes comes: with it a code costs next to nothing, without it one bit."""
    rows = np.array([[96, 96], [200, 1], [1, 200]], np.uint8)
    classes = np.array([0, 1], np.uint8)
    alone = LayerTable(rows[:1])
    constant = np.zeros((1, 25), np.uint16)

    def length(*layers: LayerTable, codes: NDArray[np.uint16]) -> int:
        coder = CodesCoder(EntropyTables(2, "ab" * 32, layers), num_layers=len(layers))
        assert (coder.decode(coder.encode(codes), codes.shape[1]) == codes).all()
        return len(coder.encode(codes))

    assert length(alone, codes=constant) == 4
    assert length(LayerTable(rows, Parent(0, 1), classes), codes=constant) == 1
    random = np.random.default_rng(0).integers(0, 2, (1, 25), dtype=np.uint16)
    twice = np.vstack([random, random])
    assert length(alone, alone, codes=twice) == 7
    assert length(alone, LayerTable(rows, Parent(0, 0), classes), codes=twice) == 4


@given(st.binary(min_size=1, max_size=200), st.integers(1, 25))
def test_any_bytes_give_codes_of_the_codebook_or_are_refused(data: bytes, frames: int) -> None:
    try:
        codes = CODER.decode(data, frames)
    except PacketError:
        return
    assert codes.shape == (LAYERS, frames)
    assert int(codes.max()) < SIZE
    assert CODER.encode(codes) == data


def test_one_byte_more_or_less_is_always_refused() -> None:
    random = np.random.default_rng(5)
    for _ in range(50):
        data = CODER.encode(some_codes(random, 5))
        for other in (data[:-1], data + b"\x00", data + b"\x80", data + b"\xff"):
            with pytest.raises(PacketError):
                CODER.decode(other, 5)


def test_most_single_bit_errors_are_found() -> None:
    """Not all: a string of another content and the same length is as good as the right one (SPEC.md says so)."""
    random = np.random.default_rng(6)
    found = tried = 0
    for _ in range(40):
        data = bytearray(CODER.encode(likely_codes(TABLES, 5, seed=int(random.integers(2**31)))))
        for bit in random.choice(8 * len(data), 10, replace=False):
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            tried += 1
            try:
                CODER.decode(bytes(damaged), 5)
            except PacketError:
                found += 1
    assert found / tried > 0.5


def test_a_string_that_never_ends_is_read_in_as_many_steps_as_it_has_codes() -> None:
    """Past the end come zeros: the empty string and the longest take the same bounded work."""
    largest = small_tables(32, 2048)
    coder = CodesCoder(largest, num_layers=32)
    for data in (b"", b"\x00", bytes(1100), b"\xff" * 1100):
        started = time.process_time()
        with pytest.raises(PacketError):
            coder.decode(data, 25)
        assert time.process_time() - started < 0.5


def test_tables_of_fewer_layers_than_are_asked_for_are_wrong_use() -> None:
    with pytest.raises(ValueError, match="layers: expected some of 6, got 4 to 7"):
        CodesCoder(TABLES, first_layer=4, num_layers=4)


def test_other_tables_read_something_else_or_nothing() -> None:
    """Why the manifest names them."""
    other = CodesCoder(small_tables(LAYERS, SIZE, seed=1), num_layers=LAYERS)
    codes = likely_codes(TABLES, 5)
    try:
        read = other.decode(CODER.encode(codes), 5)
    except PacketError:
        return
    assert not np.array_equal(read, codes)


def test_the_running_sums_of_nano_s_size_take_little_memory() -> None:
    tables = small_tables(16, 2048)
    coder = CodesCoder(tables, num_layers=16)
    rows = {id(row): sys.getsizeof(row) for layer in coder._layers for row in layer.rows}
    assert sum(rows.values()) < 2**20
    assert dataclasses.is_dataclass(coder._layers[0])
