"""`python -m benchmarks.quality`: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from benchmarks.quality.__main__ import main
from benchmarks.quality.options import parse_options

Sound = NDArray[np.float32]


@pytest.fixture
def folder(speech: Sound, tmp_path: Path) -> Path:
    """Two recordings, and something that is none."""
    folder = tmp_path / "speech"
    folder.mkdir()
    for name in ("one.wav", "two.FLAC"):
        soundfile.write(folder / name, speech, 16000, format=name[-3:] if name.endswith("wav") else "FLAC")
    (folder / "manifest.jsonl").touch()
    return folder


@pytest.mark.usefixtures("only_stoi")
def test_the_command_prints_writes_and_draws_and_says_who_was_left_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("PATH", str(tmp_path))  # none of the other codecs
    monkeypatch.setattr("benchmarks.quality.cost.STEPS", 5)
    out, plot = tmp_path / "results" / "quality.json", tmp_path / "quality.png"
    arguments = ["--speech", str(folder), "--clips", "1", "--layers", "4,16", "--json", str(out), "--plot", str(plot)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "## nano-1 beside other codecs, 1 recording\n" in printed
    assert "| nano-1, 4 layers " in printed
    assert "Left out: Opus, for there is no opusenc on this machine: apt-get install opus-tools." in printed
    assert "No PESQ-WB for 2 of 2 rebuilt recordings: pesq is not installed" in printed
    report = json.loads(out.read_text())
    assert [(row["variant"], row["kbps"]) for row in report["rows"]] == [("4 layers", 0.55), ("16 layers", 2.2)]
    assert all(0.5 < row["stoi"] < 1 for row in report["rows"])
    assert [row["recording"] for row in report["scores"]] == ["one.wav"] * 2
    assert [(row["half"], row["precision"]) for row in report["cost"]] == [("encoder", "fp32"), ("decoder", "fp32")]
    for row in report["cost"]:
        assert 0.1 < row["gflop_per_s_audio"] <= 1
        assert row["real_time_factor"] > 0
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_recordings_are_taken_by_name_and_nanos_called_by_their_folders(folder: Path, tmp_path: Path) -> None:
    models = [tmp_path / place for place in ("a/export", "b/export", "c")]
    for model in models:
        model.mkdir(parents=True)
        for half in ("encoder", "decoder", "decoder.int8"):
            (model / f"{half}.onnx").touch()

    def names(*folders: Path, precision: str = "fp32") -> list[str]:
        words = [word for folder in folders for word in ("--model", str(folder))]
        options = parse_options(["--speech", str(folder), "--precision", precision, *words])
        return [nano.name for nano in options.nanos]

    assert [path.name for path in parse_options(["--speech", str(folder)]).recordings] == ["one.wav", "two.FLAC"]
    assert names() == ["nano-1"]
    assert names(models[0], models[2], precision="int8,fp32") == ["export", "export int8", "c", "c int8"]
    assert names(*models[:2]) == [str(model) for model in models[:2]]
    decoder = str(models[0] / "decoder.int8.onnx")
    assert parse_options(["--speech", str(folder), "--decoder", decoder]).nanos[-1].name == "nano-1 decoder.int8"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--speech", "nowhere"], "--speech nowhere: there are no recordings in that folder"),
        (["--layers", "4;16"], "numbers with commas between them, as in 4,8,16, not '4;16'"),
        (["--precision", "fp16"], "fp32, int8 or fp32,int8, not 'fp16'"),
        (["--jobs", "0"], "--jobs is 1 or more, not 0"),
        (["--clips", "0"], "--clips is 1 or more, not 0"),
    ],
)
def test_a_wrong_command_line_is_refused_with_words(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_what_cannot_be_run_is_said_without_a_traceback(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--speech", str(folder), "--model", str(folder)]) == 1
    assert "neither an encoder nor a decoder in fp32" in capsys.readouterr().err
    assert main(["--speech", str(folder), "--layers", "17"]) == 1
    assert "nano-1 has 1 to 16 layers" in capsys.readouterr().err
