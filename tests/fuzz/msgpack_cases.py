"""Msgpack arrays with fields that are not what they should be: other types, huge lengths, nesting, trailing fields."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import msgpack

from tests.fuzz.mutations import damage, noise

_ODD_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 26, 127, 128, 2**31, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**64 - 1, -(2**63),
    1.0, float("nan"), float("inf"), float("-inf"), "", "a", "x" * 256, "x" * 257, b"", bytes(22), b"\xff" * 22,
    bytes(2048), bytes(2049), [], [[]], [1] * 17, {}, {"a": 1}, {"a": {"a": []}}, {1: 2},
    msgpack.ExtType(5, b""), msgpack.ExtType(5, bytes(8)), msgpack.Timestamp(2**40, 1),
)  # fmt: skip

_ODD: Final[tuple[bytes, ...]] = (
    *(msgpack.packb(value) for value in _ODD_VALUES),
    b"\xc1",
    b"\xa3\xed\xa0\x80",  # half of a surrogate pair
    b"\xa2\xff\xfe",
    b"\x82\xa1a\x01\xa1a\x02",  # the same key twice
    b"\xcf" + bytes(7) + b"\x05",  # a small number in its widest form
    b"\xd3" + bytes(7) + b"\x05",
    *(head + b"\xff\xff\xff\xff" for head in (b"\xdb", b"\xc6", b"\xdd", b"\xdf", b"\xc9")),
    b"\x91" * 200,
    b"\x91" * 1500,
    b"\x81\x01" * 700,
    b"\xdc\x00\x10" * 600,
)  # fmt: skip

_HEADS: Final = (b"\xdc\x00\x04", b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdd\x00\x00\x00\x04", b"\x84", b"\x91")


class MsgpackCases:
    """Makes cases out of `samples`, each one msgpack array; good ones and bad ones."""

    def __init__(self, samples: Sequence[bytes]) -> None:
        self._samples = tuple(samples)
        self._arrays = tuple(fields for sample in samples if (fields := _fields(sample)))

    def __call__(self, random: Random) -> bytes:
        kind = random.random()
        if kind < 0.05:
            return noise(random)
        if kind < 0.5:
            return damage(random.choice(self._samples), random, self._samples)
        data = self._rebuild(random)
        return damage(data, random, self._samples) if kind < 0.6 else data

    def _rebuild(self, random: Random) -> bytes:
        fields = list(random.choice(self._arrays))
        for _ in range(random.randint(1, 2)):
            place = random.randrange(len(fields) + 1)
            match random.randrange(5):
                case 0:
                    fields[place:place] = [random.choice(_ODD)]
                case 1:
                    fields[place : place + 1] = []
                case 2:
                    fields += [random.choice(_ODD) for _ in range(random.choice((1, 1, 2, 12, 13)))]
                case 3:
                    fields[place : place + 1] = [msgpack.packb(random.getrandbits(random.randint(1, 64)))]
                case _:
                    fields[place : place + 1] = [random.choice(_ODD)]
        head = bytes([0x90 | len(fields)]) if len(fields) < 16 else b"\xdc" + struct.pack(">H", len(fields))
        if random.random() < 0.05:
            head = random.choice(_HEADS)
        return head + b"".join(fields)


def _fields(sample: bytes) -> tuple[bytes, ...]:
    """The fields of an array, each packed for itself; none where it is no array."""
    try:
        values = msgpack.unpackb(sample, strict_map_key=False)
    except Exception:  # a golden sample that is bad on purpose
        return ()
    return tuple(msgpack.packb(value) for value in values) if isinstance(values, list) and len(values) < 16 else ()
