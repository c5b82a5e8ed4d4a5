"""What all benchmarks share: one core, a description of the machine, tables, JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
BUSY_LOAD = 0.7
"""Runnable processes a core, averaged over a minute, above which timings are rather the neighbours' than ours."""

Cell = str | int | float | None
Row = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Options:
    """What every benchmark takes from its command line."""

    core: int
    seconds: float
    out: Path
    json: bool


def parse_options(name: str, description: str, *, seconds: float, seconds_help: str) -> Options:
    """The options of benchmark `name`; argparse ends the process for wrong ones."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=description,
        epilog=f"example: python -m benchmarks.{name} --core 0 --json",
    )
    parser.add_argument("--seconds", type=float, default=seconds, help=f"{seconds_help} (default: %(default)s)")
    add_report_options(parser, name)
    given = parser.parse_args()
    if given.core not in os.sched_getaffinity(0):
        parser.error(f"--core {given.core}: this process may use {sorted(os.sched_getaffinity(0))}")
    if given.seconds <= 0:
        parser.error(f"--seconds must be positive, not {given.seconds}")
    return Options(core=given.core, seconds=given.seconds, out=given.out, json=given.json)


def add_report_options(parser: argparse.ArgumentParser, name: str) -> None:
    """--core, --out and --json, which every benchmark has."""
    first = min(os.sched_getaffinity(0))
    parser.add_argument("--core", type=int, default=first, help="core to run on (default: %(default)s)")
    out = RESULTS / f"{name}.json"
    parser.add_argument("--out", type=Path, default=out, metavar="FILE", help="where the JSON goes")
    parser.add_argument("--json", action="store_true", help="print the JSON instead of the table")


def pin_to_core(core: int) -> None:
    """This process and those it starts run on `core` only, so that turns are taken instead of cores."""
    os.sched_setaffinity(0, {core})


def describe_machine(packages: Sequence[str]) -> dict[str, Cell]:
    """Where the figures come from: processor, system, versions of `packages`, load at the start."""
    load = os.getloadavg()[0]
    cores = os.cpu_count() or 1
    if load > BUSY_LOAD * cores:
        print(f"warning: load {load:.2f} on {cores} cores: timings will be too high", file=sys.stderr)
    description: dict[str, Cell] = {
        "processor": _processor(),
        "cores": cores,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_at_start": round(load, 2),
    }
    for package in packages:
        description[package] = metadata.version(package)
    return description


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank; 50 is the median."""
    if not values:
        raise ValueError("no values to take a percentile of")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return percentile(values, 50)


def report(
    options: Options, *, title: str, rows: Sequence[Row], machine: Mapping[str, Cell], notes: Sequence[str] = ()
) -> None:
    """Print table or JSON and write the JSON file: {"title", "machine", "rows", "notes"}."""
    result = {"title": title, "machine": dict(machine), "rows": [dict(row) for row in rows], "notes": list(notes)}
    text = json.dumps(result, indent=2)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text + "\n")
    if options.json:
        print(text)
        return
    print(f"## {title}")
    print(f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}\n")
    print(markdown_table(rows))
    for note in notes:
        print(f"\n{note}")
    print(f"\nwritten to {options.out}")


def markdown_table(rows: Sequence[Row]) -> str:
    """Columns in the order of the first row, numbers to the right."""
    if not rows:
        return "(no rows)"
    columns = list(rows[0])
    cells = [columns, *[[_text(row.get(column)) for column in columns] for row in rows]]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    numeric = [not isinstance(rows[0].get(column), str) for column in columns]

    def line(texts: Sequence[str]) -> str:
        padded = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(texts, widths, numeric, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    rules = ["-" * (width + 1) + (":" if right else "-") for width, right in zip(widths, numeric, strict=True)]
    rule = "|".join(rules)
    return "\n".join([line(cells[0]), f"|{rule}|", *[line(texts) for texts in cells[1:]]])


def _text(value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)
