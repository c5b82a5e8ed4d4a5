"""Files of any name: every script, every byte that a file system takes; and names that no file can have."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gateway.demo.broker import RunningBroker
from tests.integration.bad_input import NOBODY_LISTENS, launch, run
from tests.integration.nano_path import start_mosquitto

pytestmark = [pytest.mark.broker, pytest.mark.slow]

NAMES = {
    "cyrillic, with a combining accent": "приве\u0301т.wav",
    "japanese, with a wide space": "録音\u3000テスト.wav",
    "arabic, from right to left": "تسجيل.wav",
    "persian, with a joiner of no width": "می\u200cخواهم.wav",  # noqa: RUF001
    "emoji": "😀👩‍👩‍👧.wav",
    "a leading dash": "-o.wav",
    "a line break": "new\nerror: line.wav",
    "what steers a terminal": "\x1b[31mred\x07\x9b.wav",
    "a change of the writing direction": "a\u202egpj.wav",
    "what a shell reads": "a;b $(c) `d` 'e' \"f\" *?.wav",
    "what a formatter reads": "100%s {0} %d.wav",
    "a colon": "concat:b.wav",
    "only a space": " .wav",
    "as long as names may be": "x" * 240 + ".wav",
    "bytes that are no text": os.fsdecode(b"bad\xff\xfe.wav"),
}

# And how each is printed.
NASTIEST = {
    "japanese, with a wide space": "録音 テスト.wav",
    "persian, with a joiner of no width": NAMES["persian, with a joiner of no width"],
    "a line break": "new error: line.wav",
    "what steers a terminal": "\\x1b[31mred\\x07\\x9b.wav",
    "a change of the writing direction": "a\\u202egpj.wav",
    "bytes that are no text": "bad\\udcff\\udcfe.wav",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """One broker for all of this module."""
    with start_mosquitto(tmp_path_factory.mktemp("site")) as broker:
        yield broker


def write_tone(path: Path, seconds: float = 0.2) -> Path:
    """A WAV file at a name that the library need not know how to open by itself."""
    plain = path.parent / "plain.wav"
    soundfile.write(plain, 0.3 * np.sin(np.arange(int(seconds * 16000)) / 10), 16000)
    plain.rename(path)
    return path


@pytest.mark.parametrize("what", NASTIEST)
def test_a_source_of_any_name_is_sent(site: RunningBroker, tmp_path: Path, what: str) -> None:
    path = write_tone(tmp_path / NAMES[what])
    stats = tmp_path / "stats.json"
    arguments = ["run", "--source", path, "--broker", site.url, "--link", "lan", "--stats-file", stats]
    run(tmp_path, "gateway", *arguments).assert_fine()
    values = json.loads(stats.read_text(encoding="ascii"))
    assert values["frames_published"] >= 3
    assert values["source"] == f"file {path}"


def test_a_folder_of_files_of_all_names_is_sent_without_one_left_out(site: RunningBroker, tmp_path: Path) -> None:
    folder = tmp_path / "talks"
    folder.mkdir()
    for name in NAMES.values():
        write_tone(folder / name)
    stats = tmp_path / "stats.json"
    arguments = ["run", "--source", folder, "--broker", site.url, "--link", "lan", "--stats-file", stats]
    run(tmp_path, "gateway", *arguments).assert_fine()
    values = json.loads(stats.read_text())
    assert values["input_files_skipped"] == 0
    assert values["frames_published"] * 0.08 >= 0.2 * len(NAMES)


@pytest.mark.parametrize("what", NASTIEST)
def test_a_source_that_is_missing_is_named_in_letters_that_can_be_printed(tmp_path: Path, what: str) -> None:
    outcome = run(tmp_path, "gateway", "run", "--source", tmp_path / NAMES[what], "--broker", NOBODY_LISTENS)
    outcome.assert_refused(66, f"File not found at {tmp_path}/{NASTIEST[what]}")


def test_players_write_to_files_of_any_name(site: RunningBroker, tmp_path: Path) -> None:
    source = write_tone(tmp_path / "talk.wav", 0.8)
    arguments = ["run", "--source", source, "--loop", "--broker", site.url, "--link", "lan", "--stream", "names"]
    with launch(tmp_path, "gateway", *arguments) as gateway, ExitStack() as players:
        gateway.wait_for_log("connected to")
        running = []
        chosen = ("a line break", "what steers a terminal", "bytes that are no text")
        for number, what in enumerate(chosen):
            out = ["--id", f"p{number}", "--out", tmp_path / NAMES[what]]
            common = ["run", "--broker", site.url, "--stream", "names", "--for", "3s"]
            running.append(players.enter_context(launch(tmp_path, "edge_player", *common, *out)))
        for player, what in zip(running, chosen, strict=True):
            player.finish().assert_fine()
            with (tmp_path / NAMES[what]).open("rb") as file:
                assert soundfile.info(file).duration > 0.2, what
        assert gateway.process.poll() is None


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("x" * 5000 + ".wav", "File name too long"),
        ("/".join(["folder"] * 1000) + "/a.wav", "File name too long"),
        ("a\\u0000b.wav", "null byte"),
        ("~nobody-of-this-name/a.wav", "~nobody-of-this-name"),
        ("talk.wav/a.wav", "Not a directory"),
        ("", "No source given"),
    ],
)
def test_a_name_that_no_file_can_have_is_one_sentence_and_66(tmp_path: Path, target: str, sentence: str) -> None:
    (tmp_path / "gateway.toml").write_text(f'[source]\ntarget = "{target}"\n')
    arguments = ["run", "--config", tmp_path / "gateway.toml", "--broker", NOBODY_LISTENS]
    (tmp_path / "talk.wav").touch()
    with launch(tmp_path, "gateway", *arguments, cwd=tmp_path) as command:
        command.finish().assert_refused(66, sentence)


def test_a_name_that_looks_like_a_flag_is_a_usage_error_and_told_with_the_way_out(tmp_path: Path) -> None:
    outcome = run(tmp_path, "gateway", "run", "--source", "-talk.wav", "--broker", NOBODY_LISTENS)
    assert outcome.code == 2
    assert "expected one argument" in outcome.err
    assert "Traceback" not in outcome.err
    run(tmp_path, "gateway", "run", "--source=-talk.wav", "--broker", NOBODY_LISTENS).assert_refused(66, "-talk.wav")


def test_names_are_printed_where_the_terminal_has_no_letters_for_them(site: RunningBroker, tmp_path: Path) -> None:
    """A results page on a terminal of 1990: unknown letters are spelled out."""
    name = os.fsdecode("録音".encode() + b"\xff.wav")
    environ = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    arguments = ["check", "--source", tmp_path / name, "--broker", site.url]
    with launch(tmp_path, "gateway", *arguments, environ=environ, stdout=subprocess.PIPE) as command:
        outcome = command.finish()
    outcome.assert_tidy()
    assert outcome.code == 66, outcome.out
    assert "File not found at" in outcome.out
