"""One row of the matrix, in the network namespace of this process.

`python -m tests.faults.run_row ROW --seed N --folder DIR` prints one JSON object, a `Verdict`. Exit code 0 even
where the row failed: the object says so.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

from protocol.manifest import decode_manifest
from tests.faults.checker import STEADY_FRAMES, failures
from tests.faults.end import End, wait_until_played
from tests.faults.evidence import EndEvidence, Evidence
from tests.faults.matrix import find_row
from tests.faults.nemesis import Nemesis, first_fault_after_s
from tests.faults.rows import Row
from tests.faults.scene import ORIGIN, STREAM, Scene
from tests.faults.tones import CardSound, count_foreign, read_card
from tests.faults.verdict import Verdict, judge
from tests.faults.victims import Victims
from tests.integration.watcher import TOPICS

START_S: Final = 60.0
END_S: Final = 25.0
_LOOK_S: Final = 0.05
_RSS_EVERY_S: Final = 0.5


class RowRun:
    """Start, disturb, repair, watch, end."""

    def __init__(self, scene: Scene, *, seed: int) -> None:
        self._scene = scene
        self._row = scene.row
        self._seed = seed

    def run(self) -> Evidence:
        """All of it. AssertionError where it does not even start."""
        scene, row = self._scene, self._row
        self._start()
        began_at = time.monotonic() + first_fault_after_s(self._seed)
        scene.link.begin(began_at)
        self._watch(began_at)
        for end in (scene.gateway, *scene.listeners):
            end.rss.clear()
        nemesis = Nemesis(
            row,
            Victims(scene.broker, scene.gateway, scene.player, scene.clocks, scene.disk, scene.room),
        )
        repaired_at = began_at + row.fault_s
        self._watch(repaired_at, nemesis=nemesis, began_at=began_at)
        if row.faults_on("gateway"):
            repaired_at = self._wait_for_gateway()
        self._watch(repaired_at + row.after_s, nemesis=nemesis, began_at=began_at)
        codes = self._end()
        return self._collect(began_at, repaired_at, codes)

    def _start(self) -> None:
        scene = self._scene
        for listener in scene.listeners:
            listener.start()
        for listener in scene.listeners:
            topic = TOPICS.edge_status(listener.name)
            scene.watcher.wait_for_status(topic, lambda status: status.state == "waiting", listener.name)
        scene.decoy.start()
        scene.gateway.start()
        for listener in scene.listeners:
            wait_until_played(listener, STEADY_FRAMES, START_S)

    def _watch(self, until: float, *, nemesis: Nemesis | None = None, began_at: float = 0.0) -> None:
        scene = self._scene
        next_rss_at = 0.0
        while (now := time.monotonic()) < until:
            if nemesis is not None:
                nemesis.tick(now - began_at)
            for player in scene.players:
                player.sample(now)
            if now >= next_rss_at:
                next_rss_at = now + _RSS_EVERY_S
                scene.gateway.sample(now)
                scene.broker.sample()
            time.sleep(_LOOK_S)
        if nemesis is not None:
            nemesis.tick(until - began_at)

    def _wait_for_gateway(self) -> float:
        """When the first packet of the gateway that was started again passed the broker."""
        watcher = self._scene.watcher
        sent = watcher.count(TOPICS.tokens(STREAM))
        watcher.wait_for_count(TOPICS.tokens(STREAM), sent + 1)
        return time.monotonic()

    def _end(self) -> dict[str, int | None]:
        """The gateway is told to end, and a player ends with its stream."""
        scene = self._scene
        for gateway in (scene.gateway, scene.decoy):
            gateway.send(signal.SIGTERM)
        ends = (scene.gateway, scene.decoy, *scene.listeners)
        return {end.name: end.wait(END_S) for end in ends}

    def _collect(self, began_at: float, repaired_at: float, codes: dict[str, int | None]) -> Evidence:
        scene = self._scene
        packets = scene.watcher.packets(STREAM)
        seen = {(packet.epoch, packet.first_frame + n) for packet in packets for n in range(packet.codes.shape[1])}
        origin = STREAM if scene.repeater is None else ORIGIN
        manifests = [m.payload for m in scene.watcher.on(TOPICS.manifest(origin)) if m.payload]
        card = None if scene.room is None else self._heard_from_card()
        if card is None:
            heard = [count_foreign(scene.recording(player)) for player in scene.players]
        else:
            heard = [(card.foreign_frames, card.own_frames)]
        recorder = scene.recorder
        return Evidence(
            began_at=began_at,
            repaired_at=repaired_at,
            gateway=_evidence(scene.gateway, codes),
            player=_evidence(scene.player, codes),
            beside=None if scene.beside is None else _evidence(scene.beside, codes),
            recorder=None if recorder is None else _evidence(recorder, codes),
            recorder_frames=0 if recorder is None else count_foreign(scene.recording(recorder))[1],
            broker_rss=scene.broker.rss,
            seen_frames=len(seen),
            repeater_dropped=0 if scene.repeater is None else scene.repeater.mischief.dropped_frames,
            epochs=len({decode_manifest(payload).epoch for payload in manifests}),
            foreign_frames=sum(foreign for foreign, _ in heard),
            own_frames=heard[0][1],
            card_back_s=None if card is None else card.back_s,
            lost_packets=0 if scene.tun is None else scene.tun.lost,
            passed_packets=0 if scene.tun is None else scene.tun.passed,
        )

    def _heard_from_card(self) -> CardSound:
        room = self._scene.room
        assert room is not None
        room.recorder.stop()
        return read_card(room.recordings, rate=room.recorder.rate)


def _evidence(end: End, codes: dict[str, int | None]) -> EndEvidence:
    code = codes[end.name]
    return EndEvidence(code, end.stats() if code == 0 else None, end.log, end.rss, end.samples)


def run_row(row: Row, *, seed: int, folder: Path, namespaces: bool) -> Verdict:
    """Run it here and judge it. What went wrong on the way is a failure too, never an exception."""
    began_at = time.monotonic()
    try:
        with Scene(row, seed=seed, folder=folder, namespaces=namespaces) as scene:
            found = RowRun(scene, seed=seed).run()
    except (AssertionError, OSError, RuntimeError) as error:
        return Verdict(row.name, seed, time.monotonic() - began_at, [f"it did not run: {error}"])
    return judge(row, found, seed=seed, seconds=time.monotonic() - began_at, failed=failures(row, found))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.run_row", description=__doc__)
    parser.add_argument("row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--proxy", action="store_true", help="a TCP proxy instead of namespaces")
    given = parser.parse_args()
    row = find_row(given.row)
    verdict = run_row(row, seed=given.seed, folder=given.folder, namespaces=not given.proxy)
    json.dump(asdict(verdict), sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
