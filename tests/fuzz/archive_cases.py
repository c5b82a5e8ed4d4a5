"""ZIP archives (.npz, .pt) whose parts are damaged, and which are whole archives all the same."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from random import Random

from tests.fuzz.mutations import damage, noise

_CLAIMS = (b"99999999", b"1000000000", b"-1", b"0", b"4294967296", b"18446744073709551616", b"9" * 30)


class ArchiveCases:
    """Makes cases out of `samples`, each one archive: its parts are damaged one by one, or the archive as a whole."""

    def __init__(self, samples: Sequence[bytes]) -> None:
        self._samples = tuple(samples)
        self._parts = [_unzip(sample) for sample in samples]
        self._loose = [content for parts in self._parts for content in parts.values()]

    def __call__(self, random: Random) -> bytes:
        kind = random.random()
        if kind < 0.05:
            return noise(random)
        if kind < 0.35:
            return damage(random.choice(self._samples), random, self._samples)
        parts = dict(random.choice(self._parts))
        for name in random.sample(sorted(parts), min(len(parts), random.randint(1, 2))):
            match random.randrange(6):
                case 0:
                    del parts[name]
                case 1:
                    parts[name] = random.choice(self._loose)
                case 2 | 3:
                    parts[name] = _claim(parts[name], random)
                case _:
                    parts[name] = damage(parts[name], random, self._loose)
        return _zip(parts, random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def _claim(content: bytes, random: Random) -> bytes:
    """One run of digits in it, a length for one, replaced by another."""
    numbers = list(re.finditer(rb"\d+", content))
    if not numbers:
        return damage(content, random, (content,))
    start, end = random.choice(numbers).span()
    return content[:start] + random.choice(_CLAIMS) + content[end:]


def _unzip(sample: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(sample)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zip(parts: dict[str, bytes], compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return buffer.getvalue()
