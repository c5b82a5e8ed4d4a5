"""One row for one of those compared, in the network namespace of this process.

`python -m tests.faults.peers.run_peer ROW PEER --seed N --folder DIR` prints one JSON object, an `Outcome`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tests.faults.nemesis import Nemesis, first_fault_after_s
from tests.faults.peers.cast import Cast, Peer, Stage, find_peer
from tests.faults.peers.feeder import Feeder
from tests.faults.peers.measure import read_positions
from tests.faults.peers.noise import make_noise
from tests.faults.peers.outcome import Outcome, Times, judge
from tests.faults.peers.recording import Recorder, lay_out
from tests.faults.peers.rows import find_peer_row
from tests.faults.rows import Row
from tests.faults.tun import TunLink
from tests.faults.victims import Victims

START_S: Final = 60.0
_STEADY_S: Final = 3.0
_LOOK_S: Final = 0.02


def run_peer(row: Row, peer: Peer, *, seed: int, folder: Path) -> Outcome:
    """Start, disturb, repair, listen, end, read the recording. AssertionError where no sound comes at all."""
    fifo = folder / "live"
    with ExitStack() as running:
        link = running.enter_context(TunLink(row.spells, seed=seed))
        feeder = running.enter_context(Feeder(fifo, peer.pcm))
        cast = peer.cast(Stage(row, folder, fifo, link.far_command))
        for process in (cast.server, *cast.starting):
            running.callback(process.close)
        for program in cast.starting:
            program.start()
        recorder = Recorder(cast.player.output)
        feeder.begin()
        began_at = _wait_for_sound(cast, recorder) + _STEADY_S + first_fault_after_s(seed)
        link.begin(began_at)
        nemesis = Nemesis(row, Victims(broker=cast.server, gateway=cast.source, player=cast.player))
        _wait_until(began_at)
        carried, overruns = link.passed_bytes, feeder.overruns
        repaired_at = _play(nemesis, began_at, row.fault_s)
        carried = link.passed_bytes - carried
        _wait_until(repaired_at + row.after_s)
        overruns = feeder.overruns - overruns
    recorder.join()
    start, sound = lay_out(recorder.chunks, peer.pcm)
    heard = read_positions(sound, make_noise(), start_s=start - feeder.began_at)
    zero = feeder.began_at
    times = Times(began_at - zero, repaired_at - zero, repaired_at - zero + row.after_s)
    return judge(row, peer.name, heard, times, wire_bytes=carried, overruns=overruns)


def _wait_for_sound(cast: Cast, recorder: Recorder) -> float:
    deadline = time.monotonic() + START_S
    while recorder.sounding_at is None:
        assert not cast.player.ended, f"the player ended:\n{cast.player.log}"
        assert time.monotonic() < deadline, f"no sound within {START_S:g} s:\n{cast.player.log}"
        time.sleep(_LOOK_S)
    return recorder.sounding_at


def _wait_until(at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))


def _play(nemesis: Nemesis, began_at: float, fault_s: float) -> float:
    """The faults on processes; returns when all is repaired."""
    while (now := time.monotonic() - began_at) < fault_s:
        nemesis.tick(now)
        time.sleep(_LOOK_S)
    nemesis.tick(fault_s)
    return began_at + fault_s


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.peers.run_peer", description=__doc__)
    parser.add_argument("row")
    parser.add_argument("peer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    outcome = run_peer(find_peer_row(given.row), find_peer(given.peer), seed=given.seed, folder=given.folder)
    json.dump(asdict(outcome), sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
