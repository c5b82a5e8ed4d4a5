"""Curves and tables of one or several training runs: `python -m codec.models.nano.train.report RUN_DIR -o DIR`."""

from __future__ import annotations

import argparse
import importlib.util
import math
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codec.errors import CodecError, OutputFileError
from codec.models.nano.train.report.curves import draw_training, draw_validation
from codec.models.nano.train.report.run_log import EXACT, Position, Row, Run, measured, read_run, scores, series, words

REPORT_NAME = "report.md"
TRAINING_NAME = "training.png"
VALIDATION_NAME = "validation.png"
POSITION_HEADS = ("minutes", "steps")

EXAMPLE = """example:
  python -m codec.models.nano.train.report runs/nano -o report
  python -m codec.models.nano.train.report runs/plain runs/pitch runs/critic -o comparison"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m codec.models.nano.train.report",
        description="Draw the logs of training runs, several on the same axes, and list their validation scores.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN_DIR", help="folder of a run, with its log.jsonl")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help=f"gets {REPORT_NAME} and pictures")
    parser.add_argument("--against", choices=("minutes", "step"), default="minutes", help="x axis (default: minutes)")
    parser.add_argument(
        "--smoothing", type=int, default=25, metavar="N", help="logged lines in a running mean (default: 25)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report; returns the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.smoothing < 1:
        parser.error(f"--smoothing is at least 1 line; got {arguments.smoothing}")
    try:
        folders = list({folder.resolve(): folder for folder in arguments.runs}.values())
        runs = [read_run(folder, name=name) for folder, name in zip(folders, _names(folders), strict=True)]
        written = write_report(runs, arguments.out, against=arguments.against, window=arguments.smoothing)
    except CodecError as error:
        print(f"report: {error}", file=sys.stderr)
        return error.exit_code
    for run in runs:
        if run.unreadable:
            print(f"report: {run.name}: left out {_count(run.unreadable, 'unreadable line')}", file=sys.stderr)
    if not _can_draw():
        print("report: no curves, they need matplotlib: pip install matplotlib", file=sys.stderr)
    for path in written:
        print(path)
    return 0


def write_report(runs: Sequence[Run], folder: Path, *, against: Position = "minutes", window: int = 25) -> list[Path]:
    """Write report.md and, where matplotlib is installed, training.png and validation.png; returns what was written.

    window: of the running mean, in logged lines. Raises OutputFileError.
    """
    pictures = [folder / TRAINING_NAME, folder / VALIDATION_NAME]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            picture.unlink(missing_ok=True)  # that of an earlier report would not belong to this one
        if _can_draw():
            draw_training(pictures[0], runs, against=against, window=window)
            draw_validation(pictures[1], runs, against=against)
        drawn = [picture for picture in pictures if picture.exists()]
        report = folder / REPORT_NAME
        report.write_text(markdown(runs, pictures=[p.name for p in drawn], window=window), encoding="utf-8")
    except OSError as error:
        raise OutputFileError(f"Cannot write into {folder}: {error.strerror or error}") from error
    return [report, *drawn]


def markdown(runs: Sequence[Run], *, pictures: Sequence[str], window: int) -> str:
    """The report as text: how each run ended, its validation row by row, the pictures."""
    parts = ["# Training runs", _ends(runs, window)]
    notes = "\n".join(f"- {_plain(run.name)}: {note}." for run in runs for note in _notes(run))
    if notes:
        parts.append(notes)
    parts += _validation(runs)
    parts += [f"![{Path(name).stem} curves]({name})" for name in pictures]
    return "\n\n".join(parts) + "\n"


def _validation(runs: Sequence[Run]) -> list[str]:
    """Each run's validation row by row; of several runs first the last row of each, in one table."""
    all_scores = scores(runs)
    heads, keys = [score.title for score in all_scores], [score.key for score in all_scores]
    validated = [run for run in runs if run.validation]
    parts = []
    if len(runs) > 1 and validated:
        lasts = [[_plain(run.name), *_cells(run.validation[-1], keys)] for run in validated]
        parts += ["## Last validation", _table(["run", *POSITION_HEADS, *heads], lasts)]
    for run in validated:
        parts.append(f"## Validation of {_plain(run.name)}")
        parts.append(_table([*POSITION_HEADS, *heads], [_cells(row, keys) for row in run.validation]))
    return parts


def _ends(runs: Sequence[Run], window: int) -> str:
    """How far each run came, and what it measured in training there."""
    keys = measured(row for run in runs for row in run.training)
    rows = []
    for run in runs:
        end = {key: _end(series(run.training, key, "step")[1], 1 if key in EXACT else window) for key in keys}
        rows.append([_plain(run.name), *_cells({**end, **run.position}, keys)])
    table = _table(["run", *POSITION_HEADS, *map(words, keys)], rows)
    explained = f"Losses and the like are means of the last {_count(window, 'logged line')}."
    return f"{table}\n\n{explained}" if keys else table


def _end(values: NDArray[np.float64], window: int) -> float:
    """Mean of the last finite values; NaN where there is none."""
    finite = values[np.isfinite(values)][-window:]
    return float(finite.mean()) if len(finite) else math.nan


def _notes(run: Run) -> list[str]:
    """What a reader of the curves should know about the log."""
    notes = []
    if run.superseded:
        notes.append(f"resumed; {_count(run.superseded, 'line')} of steps that were done again left out")
    if run.unreadable:
        notes.append(f"{_count(run.unreadable, 'unreadable line')} left out")
    if not run.validation:
        notes.append("no validation yet")
    return notes


def _cells(row: Row, keys: Iterable[str]) -> list[str]:
    """Position, then the figures; a hyphen for what the row does not have."""
    figures = [f"{row[key]:.4g}" if math.isfinite(row.get(key, math.nan)) else "-" for key in keys]
    return [f"{row['minutes']:.0f}", f"{row['step']:.0f}", *figures]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' own names; whole paths where two would be the same."""
    names = [folder.resolve().name for folder in folders]
    return [name if names.count(name) == 1 else str(folder) for name, folder in zip(names, folders, strict=True)]


def _plain(name: str) -> str:
    """A folder's name inside a Markdown table."""
    return re.sub(r"([\\`*_|<>\[\]$])", r"\\\1", name)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _can_draw() -> bool:
    return importlib.util.find_spec("matplotlib") is not None
