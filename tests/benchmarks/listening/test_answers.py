"""Answers in and out of their file, and what is no answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.listening.answers import Answer, AnswersFile, BadAnswerError, Sent, listener_of, read_answers
from benchmarks.listening.clips import ListeningError

ANSWER = Answer(
    time="2026-11-23T05:36:35+00:00",
    session="s1",
    seed=7,
    listener="Zoë",
    clip="one",
    pair=("fine", "rough"),
    order=("rough", "fine"),
    choice="b",
    preferred="fine",
    words="less hoarse — “clean”",
    codec="tones-1",
    weights="0123",
)


def test_answers_come_back_as_they_went_in(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "answers.jsonl"
    file = AnswersFile(path)
    others = [replace(ANSWER, choice="none", preferred=None), replace(ANSWER, clip="two")]
    for answer in (ANSWER, *others):
        file.add(answer)
    assert read_answers(path) == ([ANSWER, *others], 0)
    assert [json.loads(line)["listener"] for line in path.read_text().splitlines()] == ["Zoë"] * 3


def test_a_line_that_was_cut_short_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    AnswersFile(path).add(ANSWER)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    AnswersFile(path).add(ANSWER)
    assert read_answers(path) == ([ANSWER, ANSWER], 1)


@pytest.mark.parametrize(
    "change",
    [
        {"choice": "c"},
        {"choice": None},
        {"preferred": "rough"},
        {"pair": "fine"},
        {"pair": ["fine", "other"]},
        {"pair": ["fine", ["rough"]]},
        {"order": []},
        {"session": ["s"]},
        {"more": 1},
    ],
)
def test_lines_that_add_cannot_have_written_are_left_out_and_counted(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "answers.jsonl"
    AnswersFile(path).add(ANSWER)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}) + "\n" + path.read_text())
    assert read_answers(path) == ([ANSWER], 1)


def test_other_files_and_deep_nesting_are_no_answers(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'[]\n5\n\xff\xfe\n"x"\n{}\n' + b"[" * 100_000)
    assert read_answers(path) == ([], 6)


def test_a_file_that_cannot_be_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "answers.jsonl"):
        with pytest.raises(ListeningError, match="answers cannot be kept in"):
            AnswersFile(path)
    with pytest.raises(ListeningError, match="cannot be read"):
        read_answers(tmp_path / "missing.jsonl")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "a JSON object was expected"),
        ({}, "choice is one of a, b, none"),
        ({"choice": ["a"]}, "choice is one of"),
        ({"choice": "a", "preferred": "fine"}, "unknown: preferred; known: choice, words"),
        ({"choice": "a", "words": 5}, "words is text"),
        ({"choice": "a", "words": "x" * 501}, "words has at most 500 characters"),
        ({"choice": "a", "words": "\x1b[2J"}, "cannot be printed"),
        ({"choice": "a", "words": "\ud800"}, "cannot be printed"),
    ],
)
def test_what_a_page_would_not_send_is_refused_with_words(given: Any, words: str) -> None:
    with pytest.raises(BadAnswerError, match=words):
        Sent.of(given)


def test_words_become_one_line() -> None:
    assert Sent.of({"choice": "a", "words": "  hoarse,\n\tthin "}) == Sent("a", "hoarse, thin")
    assert Sent.of({"choice": "none"}) == Sent("none", "")


def test_a_listener_may_stay_without_a_name() -> None:
    assert listener_of({}) == ""
    with pytest.raises(BadAnswerError, match="at most 40"):
        listener_of({"listener": "x" * 41})
