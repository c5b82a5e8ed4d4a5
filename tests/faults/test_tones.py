"""A recording tells whose audio it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from tests.faults.tones import DECOY_CYCLES, OWN_CYCLES, count_foreign, write_tone
from tests.integration.toy_codec import TOY


def test_a_single_frame_of_another_stream_is_found_wherever_it_lies(tmp_path: Path) -> None:
    own, _ = soundfile.read(write_tone(tmp_path / "own.wav", OWN_CYCLES), dtype="float32")
    decoy, _ = soundfile.read(write_tone(tmp_path / "decoy.wav", DECOY_CYCLES), dtype="float32")
    assert count_foreign(tmp_path / "own.wav") == (0, 50)
    for start in range(0, TOY.frame_size, 160):
        mixed = own.copy()
        mixed[start + 6400 :][: TOY.frame_size] = decoy[: TOY.frame_size]
        soundfile.write(tmp_path / "mixed.wav", mixed, TOY.sample_rate)
        assert count_foreign(tmp_path / "mixed.wav")[0] >= 1


def test_pauses_and_jumps_in_the_own_tone_are_no_other_stream(tmp_path: Path) -> None:
    own, _ = soundfile.read(write_tone(tmp_path / "own.wav", OWN_CYCLES), dtype="float32")
    rng = np.random.default_rng(1)
    for start in rng.integers(0, len(own) - 4000, 20):
        own[start : start + int(rng.integers(100, 4000))] = 0.0
    soundfile.write(tmp_path / "holes.wav", own, TOY.sample_rate)
    assert count_foreign(tmp_path / "holes.wav")[0] == 0
