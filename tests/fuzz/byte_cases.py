"""Cases that have no structure of their own, or whose damage needs to know none."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random

from tests.fuzz.mutations import damage, noise


class ByteCases:
    """Makes cases out of `samples` by damage to their bytes."""

    def __init__(self, samples: Sequence[bytes]) -> None:
        self._samples = tuple(samples)

    def __call__(self, random: Random) -> bytes:
        return noise(random) if random.random() < 0.05 else damage(random.choice(self._samples), random, self._samples)


class DescribedCases:
    """Files whose middle is a JSON text of stated length: `head(length)`, the text, `tail`; often only the text is
    wrong, and its length right."""

    def __init__(
        self, samples: Sequence[bytes], texts: Callable[[Random], bytes], head: Callable[[int], bytes], tail: bytes
    ) -> None:
        self._bytes = ByteCases(samples)
        self._texts, self._head, self._tail = texts, head, tail

    def __call__(self, random: Random) -> bytes:
        if random.random() < 0.5:
            return self._bytes(random)
        text = self._texts(random)[:65535]
        return self._head(len(text)) + text + self._tail


def protobuf_field(number: int, content: bytes) -> bytes:
    """A field of bytes, as ONNX files have them."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """A variable-length integer of protobuf."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def framed(parts: Sequence[tuple[int, bytes]]) -> bytes:
    """Several messages as one case: of each its kind (a byte), its length (two bytes), its payload."""
    return b"".join(struct.pack(">BH", kind, len(payload)) + payload for kind, payload in parts)


def unframed(case: bytes) -> list[tuple[int, bytes]]:
    """The messages of a case that `framed` made; what is cut short is left out."""
    parts, at = [], 0
    while at + 3 <= len(case):
        kind, length = struct.unpack_from(">BH", case, at)
        parts.append((kind, case[at + 3 : at + 3 + length]))
        at += 3 + length
    return parts
