"""Who listens to what, in which order: pairs of versions, dealt by a seed."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.listening.album import Contents
from benchmarks.listening.clips import ListeningError

DEFAULT_PAIRS = (
    ("nano-16", "opus-6"),
    ("nano-16", "codec2-3200"),
    ("nano-16", "nano-8"),
    ("nano-16", "nano-4"),
    ("nano-8", "nano-4"),
)

Pair = tuple[str, str]
"""Names of two versions, in the order of the results, which says nothing about the order on the page."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One question. id: tells nothing; clip: its name; pair: as asked for; order: what A and B are."""

    id: str
    clip: str
    pair: Pair
    order: Pair


def parse_pairs(text: str) -> tuple[Pair, ...]:
    """Pairs from `nano-16:opus-6,nano-16:nano-8`. Raises ValueError for anything else."""
    pairs = []
    for part in text.split(","):
        first, _, second = (piece.strip() for piece in part.partition(":"))
        if not first or not second or first == second:
            raise ValueError(f"a pair is two names as in nano-16:opus-6, not {part.strip()!r}")
        pairs.append((first, second))
    return tuple(pairs)


def check_pairs(pairs: Sequence[Pair], contents: Contents) -> None:
    """Raises ListeningError for a version that the album does not have."""
    names = [version.name for version in contents.versions]
    for name in (name for pair in pairs for name in pair if name not in names):
        raise ListeningError(f"there is no version {name!r} in the album, but {', '.join(names)}")


def deal(contents: Contents, pairs: Sequence[Pair], *, seed: int) -> list[Trial]:
    """Every clip with every pair, in an order and with sides that `seed` decides; the ids are new each time."""
    chance = random.Random(seed)
    asked = [(clip.name, pair) for clip in contents.clips for pair in pairs]
    chance.shuffle(asked)
    trials = []
    for clip, pair in asked:
        order = pair if chance.random() < 0.5 else (pair[1], pair[0])
        trials.append(Trial(secrets.token_urlsafe(9), clip, pair, order))
    return trials
