"""What the soak prints: a table row for each process, and one last line with everything on it."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.soak.course import Course
from benchmarks.soak.figures import last_line, process_row, sound_figures, sound_sentence
from benchmarks.soak.listening import Listening

SENT: dict[str, Any] = {"input_overflows": 0, "frames_encoded": 45_001}
PLAYED: dict[str, Any] = {"underruns": 0, "sink_underflows": 0, "frames_due": 45_000, "frames_played": 44_999}


def course(run_s: int = 3600) -> Course:
    """150 MB that become 150.5 in an hour, and one descriptor more at its end."""
    at_s = [float(at) for at in range(0, run_s + 1, 5)]
    count = len(at_s)
    rss = [round(150e6 + 0.5e6 * at / 3600.0) for at in at_s]
    return Course("gateway", 1, at_s, rss, [0.08 * at for at in at_s], [7] * count, [14] * (count - 1) + [15])


def listening() -> Listening:
    return Listening(101, [600.0 + 25.0 * turn for turn in range(100)], [351.0] * 100)


def test_the_row_of_a_process_has_its_slope_and_its_extremes() -> None:
    row = process_row(course())
    assert (row["rss_mb_first"], row["rss_mb_last"], row["rss_mb_max"]) == (150.0, 150.5, 150.5)
    assert isinstance(row["slope_mb_per_h"], float)
    assert abs(row["slope_mb_per_h"] - 0.5) < 0.001
    assert (row["threads_min"], row["threads_max"], row["descriptors_min"], row["descriptors_max"]) == (7, 7, 14, 15)
    assert row["samples"] == 721


def test_slopes_that_are_not_known_are_valid_json() -> None:
    rows = [process_row(course(20)), sound_figures(Listening(10), SENT, PLAYED)]
    assert json.loads(json.dumps(rows, allow_nan=False))[0]["slope_mb_per_h"] is None


def test_the_sentence_says_when_nothing_was_heard_and_when_no_drift_is_known() -> None:
    assert sound_sentence(Listening(10), SENT, PLAYED) == "Nothing was heard."
    assert "drift unknown" in sound_sentence(Listening(1, [0.0], [351.0]), SENT, PLAYED)
    assert "100 of 101 utterances were heard, p50 351 ms" in sound_sentence(listening(), SENT, PLAYED)


def test_the_last_line_has_every_figure_and_the_verdict() -> None:
    line = last_line([course()], listening(), PLAYED, judge_memory=True, faults=["1 utterances not heard"])
    assert line == (
        "soak FAILED (1): 1.00 h; gateway +0.50 ± 0.00 MB/h, threads 7, descriptors 14 to 15; "
        "100 of 101 heard, p95 351 ms; 44999 of 45000 frames"
    )
    assert last_line([course()], listening(), PLAYED, judge_memory=True, faults=[]).startswith("soak kept: 1.00 h; ")


def test_the_last_line_of_a_short_run_says_that_memory_was_not_judged() -> None:
    line = last_line([course(20)], listening(), PLAYED, judge_memory=False, faults=[])
    assert line.startswith("soak kept, memory not judged: 0.01 h; gateway too short for the slope, threads 7")
