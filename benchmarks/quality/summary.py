"""Scores of many recordings brought to one line for each codec and rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.harness import Row
from benchmarks.quality.field import Result
from benchmarks.quality.scoring import FIGURES, Score

DIGITS: Final = 3


def mean_rows(results: Sequence[Result]) -> list[Row]:
    """A row for each codec and rate, in the order in which they ran: means over those recordings that have a figure.

    kbps is of all recordings together: every bit over all the time.
    """
    groups: dict[tuple[str, str], list[Score]] = {}
    for score in (score for result in results for score in result.scores):
        groups.setdefault((score.codec, score.variant), []).append(score)
    return [
        {
            "codec": codec,
            "variant": variant,
            "kbps": round(sum(each.payload_bits for each in scores) / sum(each.payload_s for each in scores) / 1000, 4),
            **{figure: _mean(scores, figure) for figure in FIGURES},
            "recordings": len(scores),
        }
        for (codec, variant), scores in groups.items()
    ]


def remarks(results: Sequence[Result]) -> list[str]:
    """What the rows do not say: codecs that were left out, and means over fewer recordings than the row has."""
    left_out = {codec: reason for result in results for codec, reason in result.left_out.items()}
    missing: dict[tuple[str, str], int] = {}
    for score in (score for result in results for score in result.scores):
        for figure, reason in score.missing.items():
            missing[figure, reason] = missing.get((figure, reason), 0) + 1
    total = sum(len(result.scores) for result in results)
    return [
        *(f"Left out: {codec}, for {reason}." for codec, reason in left_out.items()),
        *(
            f"No {FIGURES[figure]} for {count} of {total} rebuilt recordings: {reason}."
            for (figure, reason), count in missing.items()
        ),
    ]


def score_rows(results: Sequence[Result]) -> list[Row]:
    """Every recording through every codec, for whoever wants more than means."""
    return [
        {
            "recording": each.recording,
            "codec": each.codec,
            "variant": each.variant,
            "kbps": round(each.payload_bits / each.payload_s / 1000, 4),
            **each.figures,
        }
        for result in results
        for each in result.scores
    ]


def for_people(rows: Sequence[Row]) -> list[Row]:
    """The rows of `mean_rows` with the figures' names and as many digits as mean something."""
    return [
        {
            "codec": f"{row['codec']}, {row['variant']}",
            "kbit/s": f"{row['kbps']:.2f}",
            **{title: _text(row[figure], figure) for figure, title in FIGURES.items()},
            "recordings": row["recordings"],
        }
        for row in rows
    ]


def _mean(scores: Sequence[Score], figure: str) -> float | None:
    values = [value for score in scores if (value := score.figures[figure]) is not None]
    return round(float(np.mean(values)), DIGITS + 1) if values else None


def _text(value: object, figure: str) -> str | None:
    return None if value is None else f"{value:.{2 if figure.startswith('pesq') else DIGITS}f}"
