"""A range coder of 32 bits (Martin, 1979): each step narrows an interval to the share that its symbol has of it.

Our own because it is the wire: constriction takes chances as floats, whose rounding would belong to the wire too, and
has no binaries for ARM64 Linux. SPEC.md section 10 gives it step by step; a reader in C needs 32-bit unsigned integers.
"""

from __future__ import annotations

from typing import Final

from protocol.errors import Fault, PacketError

_WHOLE: Final = 0xFFFFFFFF
_LEAST: Final = 1 << 24
"""A narrower interval is widened by a byte: a total of 16 bits then still divides it to 8 bits or better."""
_AHEAD: Final = 3
"""Bytes, at most, that a decoder has read past the end of a string when all of it is decoded: 32 bits less 8."""
_ENDINGS: Final = (24, 16)
"""Bits that may be left out at the end, the most first. 16 always fit: the interval is at least 24 bits wide."""


class RangeEncoder:
    """Narrows the interval step by step; `finish` names it in as few bytes as will do. Not reusable."""

    def __init__(self) -> None:
        self._low = 0  # of any length: a carry runs as far as it has to, by itself
        self._range = _WHOLE
        self._bits = 32

    def narrow(self, start: int, share: int, total: int) -> None:
        """The next symbol has `share` of `total`, and those before it in the row have `start` together."""
        step = self._range // total
        self._low += step * start
        self._range = step * share
        while self._range < _LEAST:
            self._low <<= 8
            self._range <<= 8
            self._bits += 8

    def finish(self) -> bytes:
        """The fewest bytes that, whatever might follow them, lie inside the interval."""
        for left_out in _ENDINGS:
            value = (self._low + (1 << left_out) - 1) >> left_out
            if (value + 1) << left_out <= self._low + self._range:
                return value.to_bytes((self._bits - left_out) // 8, "big")
        raise AssertionError("an interval of 24 bits holds an aligned one of 16")


class RangeDecoder:
    """Follows the encoder through `data`; past its end come zeros. Takes no more steps than the caller asks for, and no
    more than the bytes have symbols in them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._next = 4
        self._offset = int.from_bytes(data[:4].ljust(4, b"\0"), "big")  # of the data above the interval's low end
        self._range = _WHOLE

    def position(self, total: int) -> int:
        """Where in the row the next symbol lies, 0 to total - 1. PacketError where no encoder goes."""
        position = self._offset // (self._range // total)
        if position >= total:  # the rest of the division, which no symbol has a share of
            raise PacketError(Fault.ENTROPY, "codes: expected a string that a range coder makes, got another")
        return position

    def narrow(self, start: int, share: int, total: int) -> None:
        """The symbol at `position` was the one with this share. PacketError where the string has ended long before."""
        step = self._range // total
        self._offset -= step * start
        self._range = step * share
        while self._range < _LEAST:
            byte = self._data[self._next] if self._next < len(self._data) else 0
            self._next += 1
            self._offset = self._offset << 8 | byte
            self._range <<= 8
        if self._next > len(self._data) + _AHEAD:
            raise PacketError(Fault.ENTROPY, "codes: expected a longer string for so many codes")
