"""Damage to bytes, whatever they mean: flips, cuts, repeats, splices with another sample, numbers made huge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

MAX_CASE_BYTES: Final = 65536
"""The largest message there is; a file that is longer only takes longer."""

_NUMBERS: Final = tuple(
    value.to_bytes(size, order)
    for size in (1, 2, 4, 8)
    for value in (0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1)
    for order in ("little", "big")
)

Damage = Callable[[bytearray, Random, Sequence[bytes]], None]


def damage(sample: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """`sample` after one to four kinds of damage; `others` are what it may be spliced with."""
    data = bytearray(sample)
    for _ in range(random.choice((1, 1, 2, 4))):
        random.choice(_KINDS)(data, random, others)
        del data[MAX_CASE_BYTES:]
    return bytes(data)


def noise(random: Random) -> bytes:
    """Random bytes, mostly few."""
    return random.randbytes(random.randint(0, random.choice((4, 16, 64, 256, 2100))))


def _flip(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    for _ in range(random.choice((1, 1, 1, 2, 8))):
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set_byte(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def _set_number(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    number = random.choice(_NUMBERS)
    start = random.randint(0, len(data))
    data[start : start + len(number)] = number


def _truncate(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    del data[random.randint(0, len(data)) :]


def _remove(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    start, end = _range(data, random)
    del data[start:end]


def _insert(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    start = random.randint(0, len(data))
    data[start:start] = random.randbytes(random.randint(1, 8))


def _repeat(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    start, end = _range(data, random)
    data[end:end] = bytes(data[start:end]) * random.choice((1, 1, 2, 10, 200))


def _splice(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    other = random.choice(others)
    data[random.randint(0, len(data)) :] = other[random.randint(0, len(other)) :]


def _range(data: bytearray, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.choice((1, 2, 4, 16, 64)))


_KINDS: Final[tuple[Damage, ...]] = (
    _flip, _flip, _set_byte, _set_number, _truncate, _remove, _insert, _repeat, _splice,
)  # fmt: skip
