"""Measures that need no lining up and no voices, so that thousands of pairs can be scored: a tenth of a second each."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from typing import Any

import numpy as np

from benchmarks.quality.robustness.line import RATE_HZ, Samples

Scores = dict[str, float | None]


def score_speech(reference: Samples, degraded: Samples) -> Scores:
    """PESQ-WB, STOI and ESTOI of two recordings [T] that lie on each other. None: not installed, or no speech found."""
    return {
        "PESQ-WB": _pesq(reference, degraded),
        "STOI": intelligibility(reference, degraded),
        "ESTOI": intelligibility(reference, degraded, extended=True),
    }


def intelligibility(reference: Samples, degraded: Samples, *, extended: bool = False) -> float:
    """STOI, 0 to 1; 1e-5 where there is too little sound."""
    from pystoi import stoi  # here: it takes a second to load, whatever is asked for

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # its way of saying that there is too little
        pair = reference.astype(np.float64), degraded.astype(np.float64)
        return float(stoi(*pair, RATE_HZ, extended=extended))


def _pesq(reference: Samples, degraded: Samples) -> float | None:
    if importlib.util.find_spec("pesq") is None:  # built from source: a C compiler is not everywhere
        return None
    if not reference.any() or not degraded.any():
        return None
    package: Any = importlib.import_module("pesq")
    try:
        return float(package.pesq(RATE_HZ, reference, degraded, "wb"))
    except package.PesqError:
        return None
