"""The command line: help, exit codes, one sentence for each failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_player.cli import main
from edge_player.run import process_age_s


@pytest.mark.parametrize("command", ["run", "check", "devices"])
def test_every_command_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert "example" in capsys.readouterr().out


def test_a_wrong_setting_exits_with_78(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--out", "speakers"]) == 78
    assert "speakers" in capsys.readouterr().err


def test_a_model_that_is_not_there_exits_with_66(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--out", "null", "--model", str(tmp_path / "none.onnx")]) == 66
    error = capsys.readouterr().err
    assert "none.onnx" in error
    assert "Traceback" not in error


def test_a_model_that_is_no_model_exits_with_76(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "decoder.onnx"
    path.write_bytes(b"not a model")
    assert main(["run", "--out", "null", "--model", str(path)]) == 76
    assert "Traceback" not in capsys.readouterr().err


def test_an_unknown_option_exits_with_2() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", "--loud"])
    assert caught.value.code == 2


def test_a_process_has_an_age() -> None:
    assert process_age_s() > 0.0
