"""The command: its three verbs, and what it says when it cannot."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest

from benchmarks.listening.__main__ import main
from benchmarks.listening.answers import Answer, AnswersFile


def test_results_are_a_table_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "answers.jsonl"
    order = ("rough", "fine")
    AnswersFile(path).add(
        Answer("t", "s", 1, "", "one", ("fine", "rough"), order, "b", "fine", "A is hoarse", "tones-1", "0123")
    )
    assert main(["results", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "| fine " in shown
    assert "one, A rough, B fine, chose b: A is hoarse" in shown
    assert main(["results", str(path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["first_preferred"], row["second_preferred"]) == (1, 0)


def test_what_cannot_be_done_is_said_in_one_line(
    tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = ["--answers", str(tmp_path / "answers.jsonl")]
    usual = ["serve", "--album", str(tones), *answers, "--pairs", "fine:rough"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cases = {
            "there is no": ["serve", "--album", str(tmp_path), *answers],
            "no version 'nano-16'": ["serve", "--album", str(tones), *answers],
            "answers cannot be kept": [*usual, "--answers", str(tmp_path)],
            "--port 0 takes a free one": [*usual, "--port", str(taken.getsockname()[1])],
            "cannot be read": ["results", str(tmp_path / "missing.jsonl")],
            "no recording in": ["build", "--speech", str(tmp_path / "missing"), "--out", str(tmp_path / "out")],
        }
        for words, arguments in cases.items():
            assert main(arguments) == 1
            said = capsys.readouterr().err
            assert words in said
            assert said.count("\n") == 1


@pytest.mark.parametrize("wrong", [["--port", "70000"], ["--port", "x"], ["--pairs", "nano-16"]])
def test_wrong_arguments_end_with_2(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", *wrong])
    assert ended.value.code == 2


def test_it_serves_until_somebody_presses_ctrl_c(tones: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.listening", "serve", "--port", "0", "--album", str(tones)]
    options = ["--pairs", "fine:rough", "--answers", str(tmp_path / "answers.jsonl")]
    # A shell that starts the suite in the background has it ignore Ctrl-C, and children inherit that.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, preexec_fn=heed) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[1]
        with urlopen(address, timeout=10) as page:
            assert b"closer to the original" in page.read()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "results" in said
