"""`make faults`: the matrix, one table, a JSON file and one line of figures; exit code 1 when a row fails.

FAULTS_ROWS: names, separated by commas, instead of all; FAULTS_SEEDS: how often each, with another seed;
FAULTS_JOBS: rows side by side. Each is the default of the flag of that name.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from benchmarks.harness import RESULTS, Row, describe_machine, markdown_table
from tests.faults.isolate import find_namespaces, run_isolated
from tests.faults.matrix import LONG_ROWS, ROWS, find_row
from tests.faults.rows import Row as FaultRow
from tests.faults.verdict import Verdict


def main() -> int:
    """The command line."""
    given = _parse()
    rows = [find_row(name) for name in given.rows.split(",")] if given.rows else list(ROWS)
    if given.long:
        rows = [*LONG_ROWS, *rows]
    machine = describe_machine(["numpy", "onnxruntime", "paho-mqtt"])
    if find_namespaces() is None:
        print("No network namespaces here: a TCP proxy stands in, rows that need lost packets are not run.")
    with ThreadPoolExecutor(given.jobs) as pool:
        running = [pool.submit(run_isolated, row, seed=seed) for seed in range(1, given.seeds + 1) for row in rows]
        verdicts = []
        for future in running:
            verdicts.append(future.result())
            print(_sentence(verdicts[-1]), file=sys.stderr, flush=True)
    print(markdown_table([_table_row(verdict) for verdict in verdicts]))
    if given.seeds > 1:
        print(f"The worst of {given.seeds} seeds, figure by figure:")
        print(markdown_table([_worst_row(row, [v for v in verdicts if v.row == row.name]) for row in rows]))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"machine": machine, "rows": [asdict(v) for v in verdicts]}, indent=1) + "\n")
    print(f"written to {given.out}")
    print(_summary(verdicts))
    unable = [verdict for verdict in verdicts if verdict.not_run]
    return 1 if any(v.failed for v in verdicts) or (unable and os.environ.get("CI") == "true") else 0


def _parse() -> argparse.Namespace:
    environ = os.environ
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rows", default=environ.get("FAULTS_ROWS") or "")
    parser.add_argument("--seeds", type=int, default=int(environ.get("FAULTS_SEEDS") or 1))
    parser.add_argument("--jobs", type=int, default=int(environ.get("FAULTS_JOBS") or 2))
    parser.add_argument("--long", action="store_true", help="the rows of ten minutes and more, too")
    parser.add_argument("--out", type=Path, default=RESULTS / "faults.json", metavar="FILE")
    given = parser.parse_args()
    known = {row.name for row in (*ROWS, *LONG_ROWS)}
    if unknown := [name for name in given.rows.split(",") if name and name not in known]:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return given


def _table_row(verdict: Verdict) -> Row:
    figures = verdict.figures
    columns = ("heard_percent", "back_s", "oldest_ms", "due", "played", "lost", "dropped_by_gateway", "player_connects")
    row = find_row(verdict.row)
    return {
        "row": verdict.row,
        "link": row.link,
        "seed": verdict.seed,
        **{name.removesuffix("_by_gateway"): figures.get(name) for name in columns},
        "back_limit_s": row.fresh_within_s,
        "age_limit_ms": row.age_limit_ms if row.age_is_limited else None,
        "verdict": (verdict.not_run and "not run") or ("FAILED" if verdict.failed else "ok"),
    }


def _worst_row(row: FaultRow, verdicts: Sequence[Verdict]) -> Row:
    """What the unluckiest seed did, for each figure apart."""

    def worst(name: str, choose: Callable[[Iterable[float]], float]) -> float | None:
        known = [value for verdict in verdicts if (value := verdict.figures.get(name)) is not None]
        return choose(known) if known else None

    return {
        "row": row.name,
        "link": row.link,
        "passed": f"{sum(verdict.passed for verdict in verdicts)} of {len(verdicts)}",
        "heard_percent_min": worst("heard_percent", min),
        "back_s_max": worst("back_s", max),
        "oldest_ms_max": worst("oldest_ms", max) if row.age_is_limited else None,
        "lost_max": worst("lost", max),
        "dropped_max": worst("dropped_by_gateway", max),
        "connects_max": worst("player_connects", max),
    }


def _sentence(verdict: Verdict) -> str:
    result = "; ".join(verdict.failed) or verdict.not_run or "ok"
    return f"{verdict.row} (seed {verdict.seed}, {verdict.seconds:.0f} s): {result}"


def _summary(verdicts: Sequence[Verdict]) -> str:
    """One line of figures, for who reads only the last."""
    back = [back_s for v in verdicts if (back_s := v.figures.get("back_s")) is not None]
    passed, failed = sum(v.passed for v in verdicts), sum(bool(v.failed) for v in verdicts)
    return (
        f"faults: {passed} passed, {failed} failed, {len(verdicts) - passed - failed} not run; "
        f"sound back at most {max(back, default=0.0):.1f} s after a repair"
    )


if __name__ == "__main__":
    raise SystemExit(main())
