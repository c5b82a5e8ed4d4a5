"""What `check` says of how loud a microphone is."""

from __future__ import annotations

import pytest

from gateway.conditioning import Level
from gateway.levels import level_finding


def level(peak_dbfs: float, *, clipped: bool = False) -> Level:
    return Level(rms_dbfs=peak_dbfs - 12.0, peak_dbfs=peak_dbfs, samples=16000, clipped=clipped)


@pytest.mark.parametrize(
    ("peak_dbfs", "clipped", "live", "verdict", "words"),
    [
        (-12.0, False, True, "ok", "peaks at -12 dBFS, level -24 dBFS"),
        (0.0, True, True, "warning", "input too loud, clipping detected"),
        (0.0, True, False, "warning", "input too loud, clipping detected"),
        (-120.0, False, True, "warning", "silent: muted?"),
        (-120.0, False, False, "ok", "silence so far"),
        (-75.0, False, True, "warning", "nearly silent, peaks at -75 dBFS"),
        (-75.0, False, False, "ok", "peaks at -75 dBFS"),
    ],
)
def test_a_level_is_judged_in_words(peak_dbfs: float, clipped: bool, live: bool, verdict: str, words: str) -> None:
    found = level_finding(level(peak_dbfs, clipped=clipped), 16000, live=live, what="microphone USB")
    assert found.verdict == verdict
    assert found.detail.startswith("microphone USB, 1.0 s heard: ")
    assert words in found.detail
    assert (found.remedy is None) is (verdict == "ok")
    assert found.figures["peak_dbfs"] == peak_dbfs
