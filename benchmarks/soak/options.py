"""The command line of the soak."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.harness import Options, add_report_options
from benchmarks.soak.promises import SLOPE_RUN_S

SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class SoakOptions:
    """report: what every benchmark takes. judge_memory: whether the run is long enough for the slope."""

    report: Options
    judge_memory: bool


def parse_options(argv: Sequence[str] | None = None) -> SoakOptions:
    """argparse ends the process, with code 2, for wrong ones."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description="Both ends through virtual sound cards for a long time: does anything grow, drift or get lost? "
        "Exit code 1 where a promise was not kept.",
        epilog="example: python -m benchmarks.soak --seconds 86400",
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long (default: %(default)g, an hour)")
    parser.add_argument(
        "--short",
        action="store_true",
        help=f"allow runs below {SLOPE_RUN_S:g} s, in which the slope of the memory is not judged",
    )
    add_report_options(parser, "soak")
    given = parser.parse_args(argv)
    if given.core not in os.sched_getaffinity(0):
        parser.error(f"--core {given.core}: this process may use {sorted(os.sched_getaffinity(0))}")
    if not given.seconds > 0:
        parser.error(f"--seconds must be positive, not {given.seconds:g}")
    judge_memory = given.seconds >= SLOPE_RUN_S
    if not judge_memory and not given.short:
        parser.error(
            f"--seconds {given.seconds:g} is too short for the slope of the memory, which takes {SLOPE_RUN_S:g}; "
            "add --short to judge everything else"
        )
    options = Options(core=given.core, seconds=given.seconds, out=given.out, json=given.json)
    return SoakOptions(options, judge_memory)
