"""One rebuilt recording against its original: the measures of `codec compare`, and the extended intelligibility."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.quality.contenders import RATE_HZ, Rebuilt, Samples
from benchmarks.quality.lining_up import line_up
from codec.comparison.measures import measure

FIGURES: Final = {
    "pesq_wb": "PESQ-WB",
    "pesq_nb": "PESQ-NB",
    "stoi": "STOI",
    "estoi": "ESTOI",
    "speaker_similarity": "speaker",
}
"""What is measured, by its name in data, and its name for people."""


@dataclass(frozen=True, slots=True)
class Score:
    """One recording through one codec at one rate. figures: by the names in FIGURES, None where there is none; missing:
    for those the reason."""

    recording: str
    codec: str
    variant: str
    payload_bits: int
    payload_s: float
    figures: Mapping[str, float | None]
    missing: Mapping[str, str]


def score(name: str, recording: Samples, rebuilt: Rebuilt) -> Score:
    """Line the two up, bring them to one power, and measure. recording [T] at RATE_HZ, as `rebuilt` was made from."""
    lined_up = line_up(recording, rebuilt.samples)
    measures = measure(recording, lined_up)
    values: dict[str, float | None] = {**measures.values, "estoi": None}
    missing = {figure: reason for figure, reason in measures.missing.items() if figure in FIGURES}
    if values["stoi"] is None:
        missing["estoi"] = missing["stoi"]  # the same package, the same needs
    else:
        values["estoi"] = _extended_stoi(recording, lined_up)
    return Score(
        name,
        rebuilt.codec,
        rebuilt.variant,
        rebuilt.payload_bits,
        rebuilt.payload_s,
        {figure: values[figure] for figure in FIGURES},
        missing,
    )


def _extended_stoi(recording: Samples, rebuilt: Samples) -> float:
    from pystoi import stoi  # an extra of the package, like the others

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        pair = recording.astype(np.float64), rebuilt.astype(np.float64)
        return round(float(stoi(*pair, RATE_HZ, extended=True)), 4)
