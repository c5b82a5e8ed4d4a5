"""What the answers say: how often which version was preferred, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.harness import Row
from benchmarks.listening.answers import Answer

_Z_95 = 1.959964
"""Of the normal distribution: 95 % lie within so many standard deviations."""


@dataclass(frozen=True, slots=True)
class Preference:
    """Of one pair. first, second: how often each was preferred; none: how often no difference was heard."""

    pair: tuple[str, str]
    first: int
    second: int
    none: int

    @property
    def decided(self) -> int:
        return self.first + self.second


def preferences(answers: Sequence[Answer]) -> list[Preference]:
    """One for each pair, in the order in which they were first met; a pair asked the other way round is the same."""
    pairs: list[tuple[str, str]] = []
    for answer in answers:
        if answer.pair not in pairs and answer.pair[::-1] not in pairs:
            pairs.append(answer.pair)
    return [_count(pair, [each for each in answers if set(each.pair) == set(pair)]) for pair in pairs]


def _count(pair: tuple[str, str], answers: Sequence[Answer]) -> Preference:
    chosen = [answer.preferred for answer in answers]
    return Preference(pair, chosen.count(pair[0]), chosen.count(pair[1]), chosen.count(None))


def binomial_interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share: from 0 to 1 without trials, never outside of that."""
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no share")
    if trials == 0:
        return 0.0, 1.0
    share, spread = successes / trials, _Z_95**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    half = _Z_95 * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def table(answers: Sequence[Answer]) -> list[Row]:
    """Rows for people and for JSON: shares in per cent of those who heard a difference."""
    rows: list[Row] = []
    for each in preferences(answers):
        low, high = binomial_interval(each.first, each.decided)
        rows.append(
            {
                "first": each.pair[0],
                "second": each.pair[1],
                "answers": each.decided + each.none,
                "first_preferred": each.first,
                "no_difference": each.none,
                "second_preferred": each.second,
                "first_percent": round(100 * each.first / each.decided, 1) if each.decided else None,
                "low_percent": round(100 * low, 1),
                "high_percent": round(100 * high, 1),
            }
        )
    return rows


def notes(answers: Sequence[Answer], unread: int) -> list[str]:
    """What a reader of the table should know."""
    said = [
        f"Answers: {len(answers)}, sessions: {len({answer.session for answer in answers})}. first_percent: of those "
        "where a difference was heard; low and high: its 95 % interval (Wilson). Where that holds 50: undecided."
    ]
    sides = [answer.choice for answer in answers if answer.choice != "none"]
    if sides:
        low, high = binomial_interval(sides.count("a"), len(sides))
        said.append(f"A was chosen {sides.count('a')} times of {len(sides)} ({100 * low:.0f} to {100 * high:.0f} %).")
    weights = sorted({f"{answer.codec} {answer.weights[:12]}" for answer in answers})
    if len(weights) > 1:
        said.append(f"The answers are about different weights, added up here: {', '.join(weights)}.")
    if unread:
        said.append(f"{unread} lines of the file are no answers and were left out.")
    return said
