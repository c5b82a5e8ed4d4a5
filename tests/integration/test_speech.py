"""Speech that comes out of the player is what the codec alone makes of it: the path adds nothing and loses nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from codec import read_audio
from gateway.demo.quality import SCORE_RATE_HZ, align, stoi_score
from tests.integration.nano_path import CLIP, NanoRun, finish, processes

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the codec's own commands make of the clip."""
    folder = tmp_path_factory.mktemp("offline")
    tokens, sound = folder / "clip.vwt", folder / "offline.wav"
    with processes() as start:
        finish(start("codec", "encode", str(CLIP), "-o", str(tokens)))
        finish(start("codec", "decode", str(tokens), "-o", str(sound)))
    return sound


@pytest.mark.parametrize("qos", [0, 1])
def test_what_is_heard_is_what_the_codec_makes_of_the_clip_offline(
    wan_runs: dict[int, NanoRun], offline: Path, qos: int
) -> None:
    heard = read_audio(wan_runs[qos].wav, SCORE_RATE_HZ)
    aligned = align(read_audio(offline, SCORE_RATE_HZ)[: len(heard)], heard)
    assert len(aligned.reference) > 0.95 * len(heard)
    score = stoi_score(aligned)
    assert score is not None, "pystoi is not installed: pip install -e '.[test]'"
    assert score >= 0.95
    # Far sharper than STOI: the same codes through the same decoder are the same waveform.
    assert np.corrcoef(aligned.reference, aligned.degraded)[0, 1] > 0.99
