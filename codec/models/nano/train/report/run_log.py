"""What a training run wrote into its log.jsonl.

There are two kinds of lines, both with `step` and `minutes`: figures of training, and scores of validation, whose names
begin with `validation_`. Nothing else is known here of either: whatever the loop logs is read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from codec.errors import EXIT_NO_INPUT, CodecError

LOG_NAME = "log.jsonl"
VALIDATION = "validation_"
LAYERS = re.compile(r"(?P<name>.+)_(?P<layers>\d+)_layers")
UNQUANTISED = "_unquantised"
EXACT = ("learning_rate", "skipped_steps")
"""Settings and counters among the figures of training: they have no noise, and a mean of them would be wrong."""

Row = dict[str, float]
"""One line of a log: `step`, `minutes`, and what was measured there."""
Position = Literal["minutes", "step"]


class RunLogError(CodecError):
    """A folder without the log of a training run, or with one that holds nothing."""

    exit_code: ClassVar[int] = EXIT_NO_INPUT


@dataclass(frozen=True, slots=True)
class Run:
    """What one log tells, in the order of the steps. A resumed run is one run: of a step done twice the last counts."""

    name: str
    training: list[Row]
    validation: list[Row]
    unreadable: int
    """Lines that are no row: half-written ones, as a killed run leaves."""
    superseded: int
    """Lines of steps that were done again, from an older checkpoint on."""

    @property
    def position(self) -> Row:
        """How far it came: `step` and `minutes`."""
        last = max((*self.training[-1:], *self.validation[-1:]), key=lambda row: row["step"])
        return {key: last[key] for key in ("step", "minutes")}


def read_run(folder: Path, *, name: str) -> Run:
    """Read the log in a run's folder. Raises RunLogError."""
    path = folder / LOG_NAME
    try:
        lines = path.read_bytes().splitlines()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunLogError(f"No {LOG_NAME} in {folder}: expected the --out folder of a training run") from error
    except OSError as error:
        raise RunLogError(f"Cannot read {path}: {error.strerror or error}") from error
    rows: list[Row] = []
    unreadable = superseded = 0
    for line in lines:
        row = _row(line)
        if row is None:
            unreadable += bool(line.strip())
            continue
        if rows and row["step"] < rows[-1]["step"]:
            kept = [earlier for earlier in rows if earlier["step"] < row["step"]]
            superseded += len(rows) - len(kept)
            rows = kept
        rows.append(row)
    if not rows:
        raise RunLogError(f"{path} has no readable line: expected one JSON object a line, with step and minutes")
    return Run(
        name=name,
        training=[row for row in rows if not _is_validation(row)],
        validation=[row for row in rows if _is_validation(row)],
        unreadable=unreadable,
        superseded=superseded,
    )


def _row(line: bytes) -> Row | None:
    """The numbers of a line that has a step and minutes; None for any other line."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    row = {
        key: _number(value)
        for key, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    placed = all(math.isfinite(row.get(key, math.nan)) for key in ("step", "minutes"))
    return row if placed else None


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # JSON knows no largest integer
        return math.inf


def _is_validation(row: Row) -> bool:
    return any(key.startswith(VALIDATION) for key in row)


def measured(rows: Iterable[Row]) -> list[str]:
    """Names of what the rows measure, in the order in which they first came."""
    return [key for key in dict.fromkeys(key for row in rows for key in row) if key not in ("step", "minutes")]


def series(rows: list[Row], key: str, against: Position) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions and values of `key`, [rows that have it] each."""
    having = [row for row in rows if key in row]
    return np.array([row[against] for row in having]), np.array([row[key] for row in having])


def smoothed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Mean of the finite values among the `window` (an odd number) around each of values [N]; fewer at the ends."""
    if not len(values):
        return values
    half = window // 2
    ones = np.ones(2 * half + 1)
    finite = np.isfinite(values)
    count = np.convolve(finite.astype(np.float64), ones)[half : half + len(values)]
    total = np.convolve(np.where(finite, values, 0.0), ones)[half : half + len(values)]
    means: NDArray[np.float64] = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0.5)
    return means


@dataclass(frozen=True, slots=True)
class Score:
    """A name of validation taken apart: `validation_stoi_4_layers` is stoi with 4 layers."""

    key: str
    name: str
    variant: str
    layers: int
    """0 without the quantiser; -1 where the name says nothing of layers."""

    @classmethod
    def of(cls, key: str) -> Score:
        """From the name in the log."""
        bare = key.removeprefix(VALIDATION)
        if match := LAYERS.fullmatch(bare):
            layers = int(match["layers"])
            return cls(key, words(match["name"]), f"{layers} layer{'s' * (layers != 1)}", layers)
        if bare.endswith(UNQUANTISED):
            return cls(key, words(bare.removesuffix(UNQUANTISED)), "unquantised", 0)
        return cls(key, words(bare), "", -1)

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.name}, {self.variant}" if self.variant else self.name


def scores(runs: Iterable[Run]) -> list[Score]:
    """All that validation measured in any run."""
    keys = measured(row for run in runs for row in run.validation)
    return [Score.of(key) for key in keys if key.startswith(VALIDATION)]


def words(key: str) -> str:
    """A name of the log for people."""
    return key.replace("_", " ").strip()
