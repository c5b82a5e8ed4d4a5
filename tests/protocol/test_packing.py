from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocol.errors import Fault, PacketError
from protocol.packing import bits_per_code, pack_codes, packed_bytes, unpack_codes


def one_by_one(codes: NDArray[np.uint16], bits: int) -> bytes:
    """SPEC.md section 2, word for word and slowly."""
    text = "".join(f"{int(code):0{bits}b}" for frame in codes.T for code in frame)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


@settings(deadline=None)
@given(
    layers=st.integers(1, 32),
    frames=st.integers(1, 25),
    bits=st.integers(1, 16),
    seed=st.integers(0, 2**32 - 1),
)
def test_packing_follows_the_spec_and_round_trips(layers: int, frames: int, bits: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 2**bits, (layers, frames)).astype(np.uint16)
    data = pack_codes(codes, bits)
    assert data == one_by_one(codes, bits)
    assert len(data) == packed_bytes(layers, frames, bits)
    back = unpack_codes(data, num_layers=layers, frames=frames, bits=bits)
    assert back.dtype == np.uint16
    assert back.flags.c_contiguous
    np.testing.assert_array_equal(back, codes)


def test_a_full_frame_of_16_layers_takes_22_bytes() -> None:
    assert bits_per_code(2048) == 11
    assert packed_bytes(16, 1, 11) == 22


@pytest.mark.parametrize(
    ("size", "bits"), [(2, 1), (3, 2), (1024, 10), (1025, 11), (2048, 11), (2049, 12), (65536, 16)]
)
def test_bits_hold_the_largest_code(size: int, bits: int) -> None:
    assert bits_per_code(size) == bits


def test_a_view_that_is_not_contiguous_packs_as_its_copy() -> None:
    codes = np.arange(64, dtype=np.uint16).reshape(8, 8)
    assert pack_codes(codes[::2, 1::3], 11) == pack_codes(codes[::2, 1::3].copy(), 11)


def test_a_code_that_does_not_fit_is_refused() -> None:
    with pytest.raises(PacketError, match="expected codes of 11 bits, got 2048") as refused:
        pack_codes(np.full((1, 1), 2048, np.uint16), 11)
    assert refused.value.reason is Fault.CODE


def test_codes_of_another_type_are_refused() -> None:
    with pytest.raises(PacketError, match="expected uint16"):
        pack_codes(np.zeros((1, 1), np.int64), 11)


@pytest.mark.parametrize("pad_bit", range(5))
def test_every_pad_bit_must_be_zero(pad_bit: int) -> None:
    with pytest.raises(PacketError) as refused:
        unpack_codes(bytes([0xFF, 0xE0 | 1 << pad_bit]), num_layers=1, frames=1, bits=11)
    assert refused.value.reason is Fault.PADDING


@pytest.mark.parametrize("length", [0, 1, 3])
def test_another_length_is_refused(length: int) -> None:
    with pytest.raises(PacketError) as refused:
        unpack_codes(bytes(length), num_layers=1, frames=1, bits=11)
    assert refused.value.reason is Fault.LENGTH


@pytest.mark.parametrize("bits", [0, 17, -1])
def test_a_width_that_makes_no_sense_is_our_own_bug(bits: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 16"):
        pack_codes(np.zeros((1, 1), np.uint16), bits)


def test_25_frames_pack_and_unpack_well_below_a_millisecond() -> None:
    codes = np.full((16, 25), 2047, np.uint16)
    best = float("inf")
    for _ in range(50):
        start = time.perf_counter()
        unpack_codes(pack_codes(codes, 11), num_layers=16, frames=25, bits=11)
        best = min(best, time.perf_counter() - start)
    assert best < 0.5e-3
