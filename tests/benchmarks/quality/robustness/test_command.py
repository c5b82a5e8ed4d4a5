"""`python -m benchmarks.quality.robustness`, with the shipped codec."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import soundfile

from benchmarks.quality.robustness.conditions import all_conditions
from benchmarks.quality.robustness.line import RATE_HZ
from benchmarks.quality.robustness.rules import RULES
from codec import read_audio

command = importlib.import_module("benchmarks.quality.robustness.__main__")


@pytest.fixture(scope="module")
def folder(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of four seconds."""
    path = tmp_path_factory.mktemp("speech")
    speech = read_audio(repository / "codec/assets/speech_cc0.flac", RATE_HZ)
    soundfile.write(path / "a.flac", speech[: 4 * RATE_HZ], RATE_HZ)
    soundfile.write(path / "b.flac", speech[8 * RATE_HZ : 12 * RATE_HZ], RATE_HZ)
    return path


def test_scores_and_rules_are_printed_and_written(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = all_conditions()[:1]  # the others take as long each
    monkeypatch.setattr("benchmarks.quality.robustness.conditions.all_conditions", lambda: first)
    monkeypatch.setattr(command, "RULES", RULES[:1])
    out = tmp_path / "new" / "figures.json"
    assert command.main(["--speech", str(folder), "--layers", "8", "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "8 of 16 layers, 2 recordings" in printed
    assert "| silence stays silent | digital silence" in printed
    assert printed.endswith("broken: none\n")
    written = json.loads(out.read_text())
    assert written["scores"][0]["condition"] == "as it is"
    assert 0.5 < written["scores"][0]["STOI"] < 1
    assert {row["kept"] for row in written["rules"]} == {"yes"}


def test_a_broken_rule_is_named_and_ends_with_1(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "RULES", RULES[:1])
    monkeypatch.setattr("benchmarks.quality.robustness.rules.IDLE_DBFS", -119.0)
    assert command.main(["--speech", str(folder), "--rules-only"]) == 1
    printed = capsys.readouterr().out
    assert "BROKEN" in printed
    assert "broken: silence stays silent (digital silence)" in printed


def test_what_cannot_be_run_is_said_in_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--speech", str(tmp_path / "nowhere")]) == 66
    assert "there is no recording in" in capsys.readouterr().err
    assert command.main(["--speech", str(folder), "--model", str(tmp_path / "nowhere")]) == 66
    assert "nowhere" in capsys.readouterr().err
    assert command.main(["--speech", str(folder), "--layers", "17"]) == 2
    assert "has 1 to 16 layers, not 17" in capsys.readouterr().err
    (tmp_path / "short").mkdir()
    soundfile.write(tmp_path / "short" / "a.flac", read_audio(folder / "a.flac", RATE_HZ), RATE_HZ)
    assert command.main(["--speech", str(tmp_path / "short")]) == 66
    assert "the recordings are 4.0 s together: the rules need 8 s of speech" in capsys.readouterr().err
