"""How near the rebuilt speech is to the original: STOI, once `codec.comparison.alignment` has found the delay."""

from __future__ import annotations

import importlib.util

import numpy as np

from codec.comparison.alignment import SCORE_RATE_HZ, Alignment, align

__all__ = ["SCORE_RATE_HZ", "Alignment", "align", "stoi_score"]

_MIN_SCORED_S = 0.5  # STOI looks at 384 ms windows: below that there is no score


def stoi_score(aligned: Alignment) -> float | None:
    """STOI, 0 to 1, of signals at SCORE_RATE_HZ. None where pystoi is not installed or there is too little sound."""
    if importlib.util.find_spec("pystoi") is None:
        return None
    if len(aligned.reference) < _MIN_SCORED_S * SCORE_RATE_HZ or not aligned.degraded.any():
        return None
    from pystoi import stoi  # with scipy: half a second that only the demo pays

    return float(stoi(aligned.reference.astype(np.float64), aligned.degraded.astype(np.float64), SCORE_RATE_HZ))
