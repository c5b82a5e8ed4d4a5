from __future__ import annotations

from pathlib import Path

import pytest

from codec.models.nano.train.cli import main
from codec.models.nano.train.pitch.cli import main as pitch_main


def run(speech: Path, out: Path, *extra: str) -> int:
    return main(["--data", str(speech), "--out", str(out), "--batch-size", "2", "--minutes", "1", *extra])


def test_data_without_an_index_is_refused_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, tmp_path / "out", "--pitch", str(tmp_path)) == 66
    assert "No index.jsonl" in capsys.readouterr().err


def test_the_pitch_training_refuses_the_same_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pitch_main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 66
    assert "No index.jsonl" in capsys.readouterr().err


def test_segments_shorter_than_the_losses_need_are_refused(speech: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        run(speech, tmp_path, "--pitch", str(tmp_path), "--segment", "0.3")
    assert caught.value.code == 2


def test_a_new_run_without_a_pitch_tracker_is_refused(
    speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(speech, tmp_path)
    assert caught.value.code == 2
    assert "--pitch" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()  # before any work


def test_a_pitch_tracker_that_is_not_there_is_refused(
    speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(speech, tmp_path, "--pitch", str(tmp_path / "nowhere")) == 76
    assert "No checkpoint" in capsys.readouterr().err


def test_resuming_without_a_checkpoint_is_refused(
    speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(speech, tmp_path, "--resume") == 76
    assert "No checkpoint" in capsys.readouterr().err
