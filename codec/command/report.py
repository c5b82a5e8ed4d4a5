"""What a subcommand hands back, and how it is printed."""

from __future__ import annotations

import json
from dataclasses import dataclass

Report = dict[str, object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A report and the exit code that goes with it."""

    report: Report
    exit_code: int = 0


def print_report(report: Report, *, as_json: bool) -> None:
    """One JSON object, or lines for people; lists are for machines only: what they hold was said when it happened."""
    if as_json:
        print(json.dumps(report))
        return
    for name, value in report.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for key, inner in value.items():
                print(f"  {key + ':':<22} {_text(inner)}")
        elif not isinstance(value, list):
            print(f"{name + ':':<22} {_text(value)}")


def _text(value: object) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
