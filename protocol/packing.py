"""Codes to bits and back: frame by frame, in a frame layer by layer, the most significant bit first, zero bits to pad.

Whole arrays at a time, no loop per code: a packet of 25 frames takes some ten microseconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocol.errors import Fault, PacketError

_WORD_BITS = 16


def bits_per_code(codebook_size: int) -> int:
    """Bits that hold every code from 0 to codebook_size - 1; 11 for a codebook of 2048."""
    return (codebook_size - 1).bit_length()


def packed_bytes(num_layers: int, frames: int, bits: int) -> int:
    """Length of the bit string in bytes, padding included; 22 for one frame of 16 layers of 11 bits."""
    return (num_layers * frames * bits + 7) // 8


def pack_codes(codes: NDArray[np.uint16], bits: int) -> bytes:
    """`codes` [K layers, N frames], each below 2**bits, as a bit string; PacketError for a code that does not fit."""
    _check_bits(bits)
    if codes.dtype != np.uint16 or codes.ndim != 2 or codes.size == 0:
        raise PacketError(Fault.TYPE, f"codes: expected uint16 [K, N], got {codes.dtype} {list(codes.shape)}")
    largest = int(codes.max())
    if largest >> bits:
        raise PacketError(Fault.CODE, f"codes: expected codes of {bits} bits, got {largest}")
    words = np.unpackbits(codes.T.ravel().astype(">u2").view(np.uint8)).reshape(-1, _WORD_BITS)
    return np.packbits(words[:, _WORD_BITS - bits :]).tobytes()


def unpack_codes(data: bytes, *, num_layers: int, frames: int, bits: int) -> NDArray[np.uint16]:
    """The codes [K layers, N frames] in `data`; PacketError for another length or for pad bits that are not zero."""
    _check_bits(bits)
    expected = packed_bytes(num_layers, frames, bits)
    if len(data) != expected:
        shape = f"{frames} frames of {num_layers} layers of {bits} bits"
        raise PacketError(Fault.LENGTH, f"codes: expected {expected} bytes for {shape}, got {len(data)}")
    count = num_layers * frames
    stream = np.unpackbits(np.frombuffer(data, np.uint8))
    if stream[count * bits :].any():
        raise PacketError(Fault.PADDING, "codes: expected zero bits after the last code, got ones")
    words = np.zeros((count, _WORD_BITS), np.uint8)
    words[:, _WORD_BITS - bits :] = stream[: count * bits].reshape(count, bits)
    by_frame = np.packbits(words, axis=1).view(">u2").reshape(frames, num_layers)
    return by_frame.T.astype(np.uint16, order="C")


def _check_bits(bits: int) -> None:
    if not 1 <= bits <= _WORD_BITS:
        raise ValueError(f"bits: expected 1 to {_WORD_BITS}, got {bits}")
