"""Means over recordings, and what they leave out."""

from __future__ import annotations

from benchmarks.quality.field import Result
from benchmarks.quality.scoring import FIGURES, Score
from benchmarks.quality.summary import for_people, mean_rows, remarks, score_rows


def _score(recording: str, codec: str, pesq: float | None, *, bits: int = 1000, seconds: float = 1.0) -> Score:
    figures = {**dict.fromkeys(FIGURES, 0.5), "pesq_wb": pesq}
    missing = {} if pesq is not None else {"pesq_wb": "no speech was found in it"}
    return Score(recording, codec, "6 kbit/s", bits, seconds, figures, missing)


RESULTS = [
    Result("a", [_score("a", "One", 2.0), _score("a", "Two", 1.0)], {"Three": "there is no such program"}),
    Result("b", [_score("b", "One", 3.0, bits=6000, seconds=2.0), _score("b", "Two", None)], {"Three": "it is gone"}),
]


def test_a_row_has_the_means_of_a_codec_and_its_bits_over_all_the_time() -> None:
    one, two = mean_rows(RESULTS)
    assert (one["codec"], one["variant"], one["recordings"]) == ("One", "6 kbit/s", 2)
    assert (one["pesq_wb"], one["kbps"]) == (2.5, round(7 / 3, 4))
    assert (two["pesq_wb"], two["estoi"], two["recordings"]) == (1.0, 0.5, 2)


def test_a_figure_that_no_recording_has_is_none_and_a_dash() -> None:
    rows = mean_rows([Result("b", [_score("b", "Two", None)], {})])
    assert rows[0]["pesq_wb"] is None
    assert for_people(rows)[0]["PESQ-WB"] is None


def test_people_see_figures_by_their_names() -> None:
    assert for_people(mean_rows(RESULTS))[0] == {
        "codec": "One, 6 kbit/s", "kbit/s": "2.33", "PESQ-WB": "2.50", "PESQ-NB": "0.50", "STOI": "0.500",
        "ESTOI": "0.500", "speaker": "0.500", "recordings": 2,
    }  # fmt: skip


def test_what_is_left_out_is_said_once() -> None:
    assert remarks(RESULTS) == [
        "Left out: Three, for it is gone.",
        "No PESQ-WB for 1 of 4 rebuilt recordings: no speech was found in it.",
    ]


def test_every_score_is_kept_for_whoever_wants_more_than_means() -> None:
    rows = score_rows(RESULTS)
    assert [(row["recording"], row["codec"], row["pesq_wb"]) for row in rows] == [
        ("a", "One", 2.0), ("a", "Two", 1.0), ("b", "One", 3.0), ("b", "Two", None),
    ]  # fmt: skip
    assert rows[2]["kbps"] == 3.0
