"""Reports of logs as runs leave them: whole, resumed, killed in mid-line, and of other experiments."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray

from codec.models.nano.train.report.page import main
from codec.models.nano.train.report.run_log import Score, read_run, smoothed


def training(step: int, loss: float = 1.0, **more: float) -> str:
    return json.dumps({"step": step, "minutes": step / 100, "loss": loss, "learning_rate": 0.001, **more})


def validation(step: int, **scores: float) -> str:
    rows = {f"validation_{name}": value for name, value in scores.items()}
    return json.dumps({"step": step, "minutes": step / 100, **rows})


def a_run(folder: Path, *lines: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def whole_run(folder: Path, *, loss: float = 1.0, **more: float) -> Path:
    lines = [training(step, loss, **more) for step in range(20, 2001, 20)]
    lines += [validation(2000, stoi_4_layers=0.5, stoi_16_layers=0.75, loss_16_layers=1.5)]
    return a_run(folder, *lines)


def table_rows(report: str) -> list[list[str]]:
    """Cells of all tables, heads and lines between left out."""
    lines = [line.strip("| ").split(" | ") for line in report.splitlines() if line.startswith("|")]
    return [cells for cells in lines if cells[0][:1].isdigit() or cells[1][:1].isdigit()]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """As without matplotlib: pictures take a second, and most tests are about the text."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def test_a_run_is_drawn_and_several_in_their_own_colours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # The first name would be a formula with a fault in it, if dollars were not taken as they are.
    folders = [whole_run(tmp_path / name, loss=loss) for name, loss in (("$^$", 0.5), ("_other", 1.5))]
    one, both = tmp_path / "deep" / "one", tmp_path / "both"
    assert main([str(folders[0]), "-o", str(one)]) == 0
    assert capsys.readouterr().out.split() == [str(one / n) for n in ("report.md", "training.png", "validation.png")]
    assert main([*map(str, folders), "-o", str(both)]) == 0
    blue, orange = np.array([[0x00, 0x72, 0xB2], [0xD5, 0x5E, 0x00]]) / 255

    def shows(colour: NDArray[np.float64], picture: Path) -> bool:
        return int((np.abs(imread(picture)[..., :3] - colour).max(axis=-1) < 0.01).sum()) > 50

    for name in ("training.png", "validation.png"):
        assert f"({name})" in (one / "report.md").read_text(encoding="utf-8")
        assert shows(blue, one / name)
        assert shows(blue, both / name)
        assert shows(orange, both / name)
        assert not shows(orange, one / name)


@pytest.mark.usefixtures("undrawn")
def test_the_validation_of_a_run_is_a_table(tmp_path: Path) -> None:
    assert main([str(whole_run(tmp_path / "plain")), "-o", str(tmp_path)]) == 0
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert ["plain", "20", "2000", "1", "0.001"] in table_rows(report)
    assert "| minutes | steps | stoi, 4 layers | stoi, 16 layers | loss, 16 layers |" in report
    assert ["20", "2000", "0.5", "0.75", "1.5"] in table_rows(report)


@pytest.mark.usefixtures("undrawn")
def test_the_last_validation_of_several_runs_is_one_table(tmp_path: Path) -> None:
    folders = [whole_run(tmp_path / name) for name in ("low", "high")]
    assert main([*map(str, folders), "-o", str(tmp_path)]) == 0
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "## Last validation" in report
    assert ["low", "20", "2000", "0.5", "0.75", "1.5"] in table_rows(report)
    assert ["high", "20", "2000", "0.5", "0.75", "1.5"] in table_rows(report)


@pytest.mark.usefixtures("undrawn")
def test_runs_that_measure_different_things_leave_gaps(tmp_path: Path) -> None:
    old = whole_run(tmp_path / "old")
    new = a_run(tmp_path / "new", training(20, critic=0.25), validation(20, pesq_16_layers=1.5, kilometres=3.0))
    assert main([str(old), str(new), "-o", str(tmp_path / "out")]) == 0
    rows = table_rows((tmp_path / "out" / "report.md").read_text(encoding="utf-8"))
    assert ["old", "20", "2000", "1", "0.001", "-"] in rows
    assert ["new", "0", "20", "1", "0.001", "0.25"] in rows
    assert ["new", "0", "20", "-", "-", "-", "1.5", "3"] in rows


@pytest.mark.usefixtures("undrawn")
def test_figures_at_the_end_are_means_but_settings_and_counters_are_not(tmp_path: Path) -> None:
    lines = [training(step, loss=step / 20, skipped_steps=step / 20) for step in range(20, 201, 20)]  # 1 … 10
    assert main([str(a_run(tmp_path / "run", *lines)), "-o", str(tmp_path), "--smoothing", "5"]) == 0
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert ["run", "2", "200", "8", "0.001", "10"] in table_rows(report)
    assert "means of the last 5 logged lines" in report
    assert "no validation yet" in report


@pytest.mark.usefixtures("undrawn")
def test_a_resumed_run_counts_the_steps_it_did_twice_once(tmp_path: Path) -> None:
    first = [training(20, 9.0), training(40, 9.0), validation(45, stoi_4_layers=0.1), training(60, 9.0)]
    again = [training(40, 1.0), validation(50, stoi_4_layers=0.2), training(60, 1.0)]
    run = read_run(a_run(tmp_path, *first, *again), name="run")
    assert [(row["step"], row["loss"]) for row in run.training] == [(20, 9.0), (40, 1.0), (60, 1.0)]
    assert [row["validation_stoi_4_layers"] for row in run.validation] == [0.2]
    assert run.superseded == 3
    assert main([str(tmp_path), "-o", str(tmp_path)]) == 0
    assert "resumed; 3 lines" in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("undrawn")
def test_a_line_that_was_half_written_is_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = whole_run(tmp_path / "killed")
    with (folder / "log.jsonl").open("ab") as log:
        log.write(b'{"step": 2020, "minu')
    assert main([str(folder), "-o", str(tmp_path)]) == 0
    assert "killed: left out 1 unreadable line\n" in capsys.readouterr().err
    assert "killed: 1 unreadable line left out" in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "line",
    [
        "[1, 2]",
        "7",
        "null",
        '{"loss": 1.0}',
        '{"step": 20, "loss": 1.0}',
        '{"step": "20", "minutes": 1.0, "loss": 1.0}',
        '{"step": NaN, "minutes": 1.0}',
        "\xff\xfe",
        "[" * 5000,
    ],
)
def test_lines_that_are_no_row_do_no_harm(tmp_path: Path, line: str) -> None:
    run = read_run(a_run(tmp_path, line, training(20)), name="run")
    assert (len(run.training), run.unreadable) == (1, 1)


def test_values_that_cannot_be_drawn_leave_a_gap(tmp_path: Path) -> None:
    lines = [training(20), training(40, float("nan")), training(60, float("inf")), training(80, phase=10**400)]
    lines.append('{"step": 100, "minutes": 1.0, "loss": "high", "done": true, "learning_rate": 0.001}')
    folder = a_run(tmp_path / "run", *lines)
    assert main([str(folder), "-o", str(tmp_path), "--against", "step"]) == 0
    assert (tmp_path / "training.png").exists()
    assert not (tmp_path / "validation.png").exists()
    assert ["run", "1", "100", "1", "0.001", "-"] in table_rows((tmp_path / "report.md").read_text(encoding="utf-8"))


def test_the_running_mean_reaches_the_ends_and_passes_over_what_is_not_finite() -> None:
    assert smoothed(np.array([1.0, 2.0, 3.0, 4.0]), 3).tolist() == [1.5, 2.0, 3.0, 3.5]
    assert smoothed(np.array([1.0, np.nan, 3.0]), 3).tolist() == [1.0, 2.0, 3.0]
    assert smoothed(np.array([1.0, 3.0]), 99).tolist() == [2.0, 2.0]
    assert np.isnan(smoothed(np.array([np.nan]), 3)).all()


def test_score_names_are_taken_apart() -> None:
    assert Score.of("validation_stoi_16_layers").title == "stoi, 16 layers"
    assert Score.of("validation_stoi_1_layers").title == "stoi, 1 layer"
    assert Score.of("validation_pesq_wb_unquantised").title == "pesq wb, unquantised"
    assert Score.of("validation_pitch_cents").title == "pitch cents"


@pytest.mark.usefixtures("undrawn")
def test_names_of_folders_cannot_break_the_table(tmp_path: Path) -> None:
    folders = [whole_run(tmp_path / "x|y")]
    twins = [whole_run(tmp_path / name / "same") for name in ("one", "two")]
    assert main([*map(str, [*folders, *twins, twins[0]]), "-o", str(tmp_path / "out")]) == 0
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "x\\|y" in report
    assert report.count("one/same | 20") == 2  # told apart by their paths, and given twice drawn once


@pytest.mark.parametrize("content", [None, "", "\n\n", "nothing\n"])
def test_a_folder_without_a_run_is_refused_in_one_sentence(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "log.jsonl").write_text(content)
    assert main([str(tmp_path), "-o", str(tmp_path / "out")]) == 66
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert main([str(tmp_path / "log.jsonl"), "-o", str(tmp_path / "out")]) == 66
    assert "No log.jsonl in" in capsys.readouterr().err


def test_an_output_that_is_no_folder_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(whole_run(tmp_path / "run")), "-o", str(tmp_path / "file")]) == 1
    assert "Cannot write into" in capsys.readouterr().err


def test_smoothing_over_no_line_is_a_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(whole_run(tmp_path)), "-o", str(tmp_path), "--smoothing", "0"])
    assert caught.value.code == 2


@pytest.mark.usefixtures("undrawn")
def test_without_matplotlib_the_table_is_written_and_old_pictures_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "training.png").write_bytes(b"of another run")
    assert main([str(whole_run(tmp_path / "run")), "-o", str(tmp_path)]) == 0
    assert "pip install matplotlib" in capsys.readouterr().err
    assert not (tmp_path / "training.png").exists()
    assert "training.png" not in (tmp_path / "report.md").read_text(encoding="utf-8")
