"""`make fuzz`: a million hostile cases over all parsers of what comes from outside, each reproducible by its number.

python -m tests.fuzz --cases 1000000 --seed 1
python -m tests.fuzz --parser packet --cases 50000
python -m tests.fuzz --parser packet --case fuzz-escapes/packet-1234.bin
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.processes import memory_folder, run_apart
from tests.fuzz.runner import Tally, run_case
from tests.fuzz.target import Target
from tests.fuzz.targets import all_targets

_ROW = "{:<22} {:>9} {:>9} {:>9} {:>11} {:>8}"


def main(argv: Sequence[str] | None = None) -> int:
    """0 where nothing escaped, 1 where something did, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=1_000_000, help="over all parsers, or of --parser (1000000)")
    parser.add_argument("--seed", type=int, default=1, help="another one makes other cases (1)")
    parser.add_argument("--parser", help="only this one, by its name in the table")
    parser.add_argument("--case", type=Path, help="a file with one case, to run it again; with --parser")
    parser.add_argument("--out", type=Path, default=Path("fuzz-escapes"), help="where cases that escaped are written")
    arguments = parser.parse_args(argv)
    with memory_folder() as folder:
        targets = all_targets(Path(folder))
        known = {target.name: target for target in targets}
        if arguments.parser is not None and arguments.parser not in known:
            parser.error(f"no parser {arguments.parser!r}: there are {', '.join(known)}")
        if arguments.case is not None:
            if arguments.parser is None:
                parser.error("--case needs --parser")
            return _run_again(known[arguments.parser], arguments.case)
    chosen = targets if arguments.parser is None else [known[arguments.parser]]
    return _run_all(chosen, cases=arguments.cases, seed=arguments.seed, out=arguments.out)


def _run_again(target: Target, path: Path) -> int:
    tally = Tally(target.name)
    case = path.read_bytes()
    with memory_folder() as folder:  # parsers of files write there, so the folder must outlive the call
        (again,) = (other for other in all_targets(Path(folder)) if other.name == target.name)
        run_case(again, case, tally, number=0, measured=True)
    for escape in tally.escapes:
        print(f"escaped: {escape.why}")
    verdict = "escaped" if tally.escapes else "refused" if tally.refused else "accepted"
    print(f"{target.name}: {verdict}, {tally.slowest_ms:.2f} ms, {tally.peak_kb:.0f} kB")
    return 1 if tally.escapes else 0


def _run_all(targets: Sequence[Target], *, cases: int, seed: int, out: Path) -> int:
    began = time.monotonic()
    shares = sum(target.share for target in targets)
    tallies = []
    print(_ROW.format("parser", "cases", "accepted", "refused", "slowest ms", "peak kB"), flush=True)
    for target in targets:
        tally = run_apart(target.name, max(1, cases * target.share // shares), seed)
        tallies.append(tally)
        figures = (tally.cases, tally.accepted, tally.refused, f"{tally.slowest_ms:.1f}", f"{tally.peak_kb:.0f}")
        print(_ROW.format(tally.name, *figures), flush=True)
        _report(tally, seed=seed, out=out)
    escapes = sum(len(tally.escapes) for tally in tallies)
    print(
        f"fuzz: {sum(tally.cases for tally in tallies)} cases, {len(tallies)} parsers, seed {seed}, "
        f"{sum(tally.accepted for tally in tallies)} accepted, {sum(tally.refused for tally in tallies)} refused, "
        f"{escapes} escaped, slowest {max(tally.slowest_ms for tally in tallies):.1f} ms, "
        f"largest {max(tally.peak_kb for tally in tallies):.0f} kB, {time.monotonic() - began:.0f} s"
    )
    return 1 if escapes else 0


def _report(tally: Tally, *, seed: int, out: Path) -> None:
    """Keep the cases that escaped, and say how to run each again."""
    for escape in tally.escapes:
        out.mkdir(parents=True, exist_ok=True)
        path = out / f"{re.sub(r'[^a-z0-9]+', '-', tally.name)}-{seed}-{escape.number}.bin"
        path.write_bytes(escape.case)
        print(f"  escaped: {escape.why}\n  again:   python -m tests.fuzz --parser '{tally.name}' --case {path}")


if __name__ == "__main__":
    sys.exit(main())
