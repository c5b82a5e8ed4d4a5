"""Versions lie in time where their original lies: a switch in mid-word is one between codecs, not between moments."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.listening.clips import ORIGINALS, Samples
from benchmarks.listening.versions import in_place
from codec import read_audio

SPEECH = read_audio(ORIGINALS / "en-2414.flac", 16000)


def cut(delay: int, length: int) -> Samples:
    """Speech that comes `delay` samples late, or early, and ends where it ends."""
    moved = np.pad(SPEECH, (delay, 0)) if delay >= 0 else SPEECH[-delay:]
    return moved[:length]


@pytest.mark.parametrize("delay", [0, 1, 317, 1600, -80])
@pytest.mark.parametrize("missing", [-3000, 0, 900])
def test_delay_is_taken_away_and_the_length_is_the_originals(delay: int, missing: int) -> None:
    late = np.pad(cut(delay, SPEECH.size - missing), (0, max(0, -missing)))
    placed = in_place(SPEECH, late)
    assert placed.size == SPEECH.size
    inside = slice(100, SPEECH.size - 3000)
    np.testing.assert_array_equal(placed[inside], SPEECH[inside])
