from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.entropy import MAX_TOTAL
from protocol.entropy.range_coder import RangeDecoder, RangeEncoder
from protocol.errors import Fault, PacketError


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Start, share and total of some symbols."""
    made = []
    for _ in range(draw(st.integers(0, 60))):
        total = draw(st.integers(1, MAX_TOTAL))
        start = draw(st.integers(0, total - 1))
        made.append((start, draw(st.integers(1, total - start)), total))
    return made


def encode(taken: list[tuple[int, int, int]]) -> bytes:
    encoder = RangeEncoder()
    for step in taken:
        encoder.narrow(*step)
    return encoder.finish()


@given(steps())
def test_every_symbol_is_found_again(taken: list[tuple[int, int, int]]) -> None:
    decoder = RangeDecoder(encode(taken))
    for start, share, total in taken:
        assert start <= decoder.position(total) < start + share
        decoder.narrow(start, share, total)


@given(steps(), st.binary(max_size=8))
def test_whatever_follows_the_string_is_not_needed_to_read_it(taken: list[tuple[int, int, int]], more: bytes) -> None:
    decoder = RangeDecoder(encode(taken) + more)
    for start, share, total in taken:
        assert start <= decoder.position(total) < start + share
        decoder.narrow(start, share, total)


def test_a_carry_runs_through_bytes_that_were_written_long_ago() -> None:
    """The upper end of the interval lies just below a whole number of bytes: 255, 255, … become 0, 0, …"""
    near_the_top = [(MAX_TOTAL - 1, 1, MAX_TOTAL)] * 40
    up = [*near_the_top, (1, MAX_TOTAL - 1, MAX_TOTAL)]
    data = encode(up)
    decoder = RangeDecoder(data)
    for start, share, total in up:
        assert start <= decoder.position(total) < start + share
        decoder.narrow(start, share, total)


def test_a_string_has_as_many_bytes_as_its_symbols_have_bits_and_hardly_more() -> None:
    random = np.random.default_rng(3)
    for _ in range(200):
        shares = random.integers(1, 4096, 60)
        taken = [(int(random.integers(0, MAX_TOTAL - share)), int(share), MAX_TOTAL) for share in shares]
        bits = -np.log2(shares / MAX_TOTAL).sum()
        assert bits <= 8 * len(encode(taken)) < bits + 10


def test_a_place_that_no_symbol_has_a_share_of_is_refused() -> None:
    """The division by the total leaves a rest at the upper end of the interval."""
    with pytest.raises(PacketError) as refused:
        RangeDecoder(b"\xff\xff\xff\xff").position(60_000)
    assert refused.value.reason is Fault.ENTROPY


def test_a_string_that_is_too_short_is_refused_before_its_symbols_are_all_taken() -> None:
    """So that a few bytes which claim to be many frames cost little."""
    decoder = RangeDecoder(b"\x80\x00")
    decoder.narrow(1024, 1, 2048)
    with pytest.raises(PacketError, match="longer string"):
        decoder.narrow(1024, 1, 2048)


def test_no_symbols_are_one_byte() -> None:
    assert encode([]) == b"\x00"
