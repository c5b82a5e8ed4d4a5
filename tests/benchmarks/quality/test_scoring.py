"""What a rebuilt recording is given for how near it is to its original."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.quality.contenders import Rebuilt
from benchmarks.quality.scoring import FIGURES, score

Sound = NDArray[np.float32]


def _rebuilt(samples: Sound) -> Rebuilt:
    return Rebuilt("Copy", "all of it", samples, 3200, 2.0)


@pytest.mark.usefixtures("only_stoi")
def test_a_copy_has_full_marks_at_any_loudness_and_noise_costs_some(speech: Sound) -> None:
    noisy = speech + np.random.default_rng(0).normal(0, 0.05, speech.size).astype(np.float32)
    copy, worse = (score("a.wav", speech, _rebuilt(0.2 * each)) for each in (speech, noisy))
    assert (copy.figures["stoi"], copy.figures["estoi"]) == pytest.approx((1, 1), abs=0.01)
    for figure in ("stoi", "estoi"):
        assert (worse.figures[figure] or 0) < (copy.figures[figure] or 0) - 0.02
    assert (worse.figures["estoi"] or 0) < (worse.figures["stoi"] or 0)
    assert (copy.recording, copy.codec, copy.variant, copy.payload_bits) == ("a.wav", "Copy", "all of it", 3200)


@pytest.mark.usefixtures("only_stoi")
def test_figures_that_cannot_be_had_are_none_with_the_reason(speech: Sound) -> None:
    silent = score("a.wav", speech, _rebuilt(np.zeros_like(speech)))
    assert set(silent.figures) == set(FIGURES)
    assert set(silent.figures.values()) == {None}
    assert silent.missing["estoi"] == silent.missing["stoi"] == "there is nothing but silence"
    assert silent.missing["pesq_wb"] == "pesq is not installed: pip install pesq"
    assert "utmos_reference" not in silent.missing
