"""JSON texts with values that are not what they should be, keys that occur twice, nesting and other encodings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.fuzz.mutations import damage, noise


@dataclass
class Object:
    """A JSON object as it is written: the same key may stand in it twice."""

    pairs: list[tuple[str, object]]


@dataclass(frozen=True)
class Raw:
    """A value as it is written, JSON or not."""

    text: str


_ODD: Final[tuple[object, ...]] = (
    None, True, False, 0, -1, 1, 2, 26, 2**31, 2**32, 2**53 - 1, 2**53, 2**63, 2**64, 10**40, 1.0, 1e300, 0.1, "",
    "a", "x" * 64,
    "x" * 300, "0" * 16, "f" * 16, "F" * 16, "ab" * 32, "\x00", "\x1b[2J", "\n", "\u202e", "\ue000", "\U0001f600",
    "a/b", "+", "#",
    [], [[]], [0, 1], [[0, 1]], [[0, 16]], [[0, 1], [1, 1]], [True, False], {}, {"a": {}}, Raw("NaN"), Raw("Infinity"),
    Raw("-Infinity"), Raw("1e999"), Raw("-1e999"), Raw("9" * 700), Raw("1" + "0" * 4400), Raw('"\\ud800"'),
    Raw('"\\udfff\\ud800"'),
    Raw("[" * 200 + "]" * 200), Raw("[" * 900), Raw('{"a":' * 150 + "1" + "}" * 150), Raw("01"), Raw("-"), Raw("'a'"),
    Raw("tru"),
    Raw('"\t"'), Raw("0x10"), Raw(""),
)  # fmt: skip


class JsonCases:
    """Makes cases out of `samples`, each one JSON object."""

    def __init__(self, samples: Sequence[bytes]) -> None:
        self._samples = tuple(samples)
        self._texts = tuple(sample.decode() for sample in samples)

    def __call__(self, random: Random) -> bytes:
        kind = random.random()
        if kind < 0.05:
            return noise(random)
        if kind < 0.35:
            return damage(random.choice(self._samples), random, self._samples)
        data = self.text(random).encode("utf-8", "surrogatepass")
        if kind < 0.37:
            return data.decode("utf-8", "replace").encode(random.choice(("utf-16", "utf-32", "utf-8-sig")))
        return damage(data, random, self._samples) if kind < 0.5 else data

    def text(self, random: Random) -> str:
        """A sample in which one to three values, keys or places are wrong."""
        tree: Object = json.loads(random.choice(self._texts), object_pairs_hook=Object)
        for _ in range(random.randint(1, 3)):
            _spoil(tree, random)
        return render(tree)


def render(value: object) -> str:
    """The text of a tree of Objects, lists, Raws and plain values."""
    if isinstance(value, Object):
        return "{" + ",".join(f"{json.dumps(key)}:{render(part)}" for key, part in value.pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(render, value)) + "]"
    return value.text if isinstance(value, Raw) else json.dumps(value, ensure_ascii=False)


def _spoil(tree: Object, random: Random) -> None:
    """One change, in the tree or in an object below it."""
    pairs = tree.pairs
    below = [part for _, part in pairs if isinstance(part, Object)]
    if below and random.random() < 0.35:
        _spoil(random.choice(below), random)
        return
    place = random.randrange(len(pairs) + 1)
    key, _ = random.choice(pairs) if pairs else ("a", 0)
    match random.randrange(8):
        case 0:
            pairs.insert(place, (key, random.choice(_ODD)))  # the same key twice
        case 1:
            del pairs[place : place + 1]
        case 2:
            pairs.insert(place, (random.choice(("later", "", "\ud800", "v", "x" * 200)), random.choice(_ODD)))
        case 3:
            pairs[place : place + 1] = [(key, Object(list(pairs[:3])))]
        case 4:
            pairs[place : place + 1] = [(key, random.getrandbits(random.randint(1, 80)))]
        case 5:
            pairs += [(f"{random.choice('abc')}{number}", number) for number in range(random.choice((3, 60, 70)))]
        case _:
            _replace(pairs, key, random.choice(_ODD))


def _replace(pairs: list[tuple[str, object]], key: str, value: object) -> None:
    for place, (other, _) in enumerate(pairs):
        if other == key:
            pairs[place] = (key, value)
