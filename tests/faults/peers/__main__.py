"""`make faults-peers`: the same faults done to ours, to the obvious script of paho and msgpack, and to Snapcast.

All are measured from the sound that comes out. One table, a JSON file and one line of figures; nothing here passes or
fails, but what could not be run gives exit code 1. FAULTS_ROWS, FAULTS_PEERS: names, separated by commas, instead of
all; FAULTS_JOBS: how many side by side. Each is the default of the flag of that name.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from benchmarks.harness import RESULTS, Row, describe_machine, markdown_table
from tests.faults.peers.cast import PEERS, find_peer
from tests.faults.peers.isolate import run_isolated
from tests.faults.peers.outcome import Outcome
from tests.faults.peers.rows import CLEAR, PEER_ROWS, find_peer_row


def main() -> int:
    """The command line."""
    given = _parse()
    rows = [find_peer_row(name) for name in given.rows.split(",")]
    peers = [find_peer(name) for name in given.peers.split(",")]
    machine = describe_machine(["numpy", "onnxruntime", "paho-mqtt", "msgpack"])
    outcomes = []
    with ThreadPoolExecutor(given.jobs) as pool:
        running = [pool.submit(run_isolated, row, peer, seed=given.seed) for row in rows for peer in peers]
        for future in running:
            outcomes.append(future.result())
            print(_sentence(outcomes[-1]), file=sys.stderr, flush=True)
    names = [peer.name for peer in peers]
    print("Each cell: heard during the fault, sound back after the repair, lag from source to sound at the end.\n")
    print(markdown_table([_table_row(row.name, names, outcomes) for row in rows]))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    values = [asdict(outcome) | {"grown_s": outcome.grown_s} for outcome in outcomes]
    given.out.write_text(json.dumps({"machine": machine, "seed": given.seed, "outcomes": values}, indent=1) + "\n")
    print(f"written to {given.out}")
    print(_summary(names, outcomes))
    return 1 if any(outcome.not_run for outcome in outcomes) else 0


def _parse() -> argparse.Namespace:
    environ = os.environ
    rows, peers = _joined(row.name for row in PEER_ROWS), _joined(peer.name for peer in PEERS)
    parser = argparse.ArgumentParser(prog="python -m tests.faults.peers", description=__doc__)
    parser.add_argument("--rows", default=environ.get("FAULTS_ROWS") or rows)
    parser.add_argument("--peers", default=environ.get("FAULTS_PEERS") or peers)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=int(environ.get("FAULTS_JOBS") or 2))
    parser.add_argument("--out", type=Path, default=RESULTS / "faults-peers.json", metavar="FILE")
    given = parser.parse_args()
    for what, names, known in (("row", given.rows, rows), ("peer", given.peers, peers)):
        if unknown := [name for name in names.split(",") if name not in known.split(",")]:
            parser.error(f"no such {what}: {', '.join(unknown)}; there are {known}")
    return given


def _joined(names: Iterable[str]) -> str:
    return ",".join(names)


def _table_row(row: str, peers: Sequence[str], outcomes: Sequence[Outcome]) -> Row:
    found = {outcome.peer: _cell(outcome) for outcome in outcomes if outcome.row == row}
    return {"row": row, **{peer: found[peer] for peer in peers}}


def _cell(outcome: Outcome) -> str:
    if outcome.not_run is not None:
        return "not run"
    back = "never" if outcome.back_s is None else f"{outcome.back_s:.1f} s"
    lag = "-" if outcome.lag_after_s is None else f"{outcome.lag_after_s:.1f} s"
    return f"{outcome.heard_percent:.0f} %, {back}, {lag}"


def _sentence(outcome: Outcome) -> str:
    return f"{outcome.row}, {outcome.peer}: {outcome.not_run or _cell(outcome)}"


def _summary(peers: Sequence[str], outcomes: Sequence[Outcome]) -> str:
    """One line of figures, for who reads only the last."""
    return "faults-peers: " + "; ".join(_of_one(peer, [o for o in outcomes if o.peer == peer]) for peer in peers)


def _of_one(peer: str, outcomes: Sequence[Outcome]) -> str:
    ran = [outcome for outcome in outcomes if outcome.not_run is None]
    back = [outcome.back_s for outcome in ran if outcome.back_s is not None]
    grown = [outcome.grown_s for outcome in ran if outcome.grown_s is not None]
    never = sum(outcome.back_s is None for outcome in ran)
    wire = next((f"{outcome.wire_kbps} kbit/s on a clear link, " for outcome in ran if outcome.row == CLEAR.name), "")
    return (
        f"{peer} {len(ran)} of {len(outcomes)} run, {wire}back after at most {max(0.0, *back):.1f} s, "
        f"{never} times never, lag grown by at most {max(0.0, *grown):.1f} s"
    )


if __name__ == "__main__":
    raise SystemExit(main())
