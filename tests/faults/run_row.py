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
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Final

from protocol.manifest import decode_manifest
from tests.faults.broker import FAR_PORT, FaultyBroker
from tests.faults.checker import failures
from tests.faults.course import Sample
from tests.faults.end import SAMPLE_S, End, wait_until_played
from tests.faults.evidence import EndEvidence, Evidence
from tests.faults.nemesis import Nemesis, first_fault_after_s
from tests.faults.proxy import ProxyLink
from tests.faults.rows import Row, find_row
from tests.faults.tones import DECOY_CYCLES, OWN_CYCLES, count_foreign, write_tone
from tests.faults.tun import NEAR_ADDRESS, TunLink
from tests.faults.verdict import Verdict, judge
from tests.integration.toy_codec import save_toy_codec
from tests.integration.watcher import TOPICS, Watcher

STREAM: Final = "lobby"
DECOY: Final = "decoy"
START_S: Final = 60.0
END_S: Final = 25.0
_LOOK_S: Final = 0.05
_RSS_EVERY_S: Final = 0.5
_STEADY_FRAMES: Final = 25


class RowRun:
    """Everything that one row needs, started in order and ended whatever happens. A context manager, not reusable."""

    def __init__(self, row: Row, *, seed: int, folder: Path, namespaces: bool) -> None:
        """namespaces: behind a TUN device, else behind a TCP proxy."""
        self.row = row
        self._seed = seed
        self._folder = folder
        self._namespaces = namespaces
        self._running = ExitStack()

    def __enter__(self) -> RowRun:
        try:
            self._open()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._running.close()

    def _open(self) -> None:
        row, folder = self.row, self._folder
        self._model = folder / "toy"
        self._model.mkdir(parents=True)
        save_toy_codec(self._model)
        self._tun = self._running.enter_context(TunLink(row.spells, seed=self._seed)) if self._namespaces else None
        self.broker = FaultyBroker(folder, NEAR_ADDRESS if self._namespaces else None)
        self._running.callback(self.broker.close)
        if self._tun is None:
            self._link: TunLink | ProxyLink = self._running.enter_context(
                ProxyLink(row.spells, target_port=self.broker.port)
            )
        else:
            self._link = self._tun
        self.watcher = self._running.enter_context(Watcher(self.broker.url, qos=0))
        self.player = self._make_player("ear", far=row.hop == "player")
        self.beside = self._make_player("ear-beside", far=False) if row.beside else None
        self.gateway = self._make_gateway(STREAM, OWN_CYCLES, far=row.hop == "gateway")
        self.decoy = self._make_gateway(DECOY, DECOY_CYCLES, far=False)

    @property
    def players(self) -> list[End]:
        """The one that the row is about first."""
        return [self.player] if self.beside is None else [self.player, self.beside]

    def run(self) -> Evidence:
        """Start, disturb, repair, watch, end. AssertionError where it does not even start."""
        self._start()
        began_at = time.monotonic() + first_fault_after_s(self._seed)
        self._link.begin(began_at)
        self._watch(began_at)
        for end in (self.gateway, *self.players):
            end.rss.clear()
        nemesis = Nemesis(self.row, broker=self.broker, gateway=self.gateway, player=self.player)
        repaired_at = began_at + self.row.fault_s
        self._watch(repaired_at, nemesis=nemesis, began_at=began_at)
        if self.row.faults_on("gateway"):
            repaired_at = self._wait_for_gateway()
        self._watch(repaired_at + self.row.after_s, nemesis=nemesis, began_at=began_at)
        codes = self._end()
        return self._collect(began_at, repaired_at, codes)

    def _start(self) -> None:
        for player in self.players:
            player.start()
        for player in self.players:
            topic = TOPICS.edge_status(player.name)
            self.watcher.wait_for_status(topic, lambda status: status.state == "waiting", player.name)
        self.decoy.start()
        self.gateway.start()
        for player in self.players:
            wait_until_played(player, _STEADY_FRAMES, START_S)

    def _watch(self, until: float, *, nemesis: Nemesis | None = None, began_at: float = 0.0) -> None:
        next_rss_at = 0.0
        while (now := time.monotonic()) < until:
            if nemesis is not None:
                nemesis.tick(now - began_at)
            for player in self.players:
                player.sample(now)
            if now >= next_rss_at:
                next_rss_at = now + _RSS_EVERY_S
                self.gateway.sample(now)
                self.broker.sample()
            time.sleep(_LOOK_S)
        if nemesis is not None:
            nemesis.tick(until - began_at)

    def _wait_for_gateway(self) -> float:
        """When the first packet of the gateway that was started again passed the broker."""
        sent = self.watcher.count(TOPICS.tokens(STREAM))
        self.watcher.wait_for_count(TOPICS.tokens(STREAM), sent + 1)
        return time.monotonic()

    def _end(self) -> dict[str, int | None]:
        """The gateway is told to end, and a player ends with its stream."""
        for gateway in (self.gateway, self.decoy):
            gateway.send(signal.SIGTERM)
        ends = (self.gateway, self.decoy, *self.players)
        return {end.name: end.wait(END_S) for end in ends}

    def _collect(self, began_at: float, repaired_at: float, codes: dict[str, int | None]) -> Evidence:
        packets = self.watcher.packets(STREAM)
        seen = {(packet.epoch, packet.first_frame + n) for packet in packets for n in range(packet.codes.shape[1])}
        manifests = [m.payload for m in self.watcher.on(TOPICS.manifest(STREAM)) if m.payload]
        heard = [count_foreign(self._recording(player)) for player in self.players]
        return Evidence(
            began_at=began_at,
            repaired_at=repaired_at,
            gateway=_evidence(self.gateway, codes),
            player=_evidence(self.player, codes),
            beside=None if self.beside is None else _evidence(self.beside, codes),
            broker_rss=self.broker.rss,
            seen_frames=len(seen),
            epochs=len({decode_manifest(payload).epoch for payload in manifests}),
            foreign_frames=sum(foreign for foreign, _ in heard),
            own_frames=heard[0][1],
            lost_packets=0 if self._tun is None else self._tun.lost,
            passed_packets=0 if self._tun is None else self._tun.passed,
        )

    def _make_player(self, name: str, *, far: bool) -> End:
        arguments = [
            *("--stream", STREAM, "--broker", self._url(far=far), "--wait", "--exit-on-stop"),
            *("--out", str(self._recording_of(name)), "--model", str(self._model / "decoder.onnx")),
        ]
        environ = {"VOXWIRE_RUN__STATS_EVERY_S": str(SAMPLE_S)}
        return self._own(
            End("edge_player", name, arguments, folder=self._folder, before=self._at(far), environ=environ)
        )

    def _make_gateway(self, stream: str, cycles: int, *, far: bool) -> End:
        sound = write_tone(self._folder / f"{stream}.wav", cycles)
        arguments = [
            *("--stream", stream, "--broker", self._url(far=far), "--wait", "--link", self.row.link),
            *("--source", str(sound), "--loop", "--model", str(self._model)),
        ]
        return self._own(End("gateway", f"gw-{stream}", arguments, folder=self._folder, before=self._at(far)))

    def _own(self, end: End) -> End:
        self._running.callback(end.close)
        return end

    def _at(self, far: bool) -> list[str]:
        return self._tun.far_command if far and self._tun is not None else []

    def _url(self, *, far: bool) -> str:
        if not far:
            return self.broker.url
        if isinstance(self._link, ProxyLink):
            return f"mqtt://127.0.0.1:{self._link.port}"
        return f"mqtt://{NEAR_ADDRESS}:{FAR_PORT}"

    def _recording_of(self, name: str) -> Path:
        return self._folder / f"{name}.wav"

    def _recording(self, player: End) -> Path:
        return self._recording_of(player.name)


def _evidence(end: End, codes: dict[str, int | None]) -> EndEvidence:
    code = codes[end.name]
    samples: list[Sample] = end.samples
    return EndEvidence(code, end.stats() if code == 0 else None, end.log, end.rss, samples)


def run_row(row: Row, *, seed: int, folder: Path, namespaces: bool) -> Verdict:
    """Run it here and judge it. What went wrong on the way is a failure too, never an exception."""
    began_at = time.monotonic()
    try:
        with RowRun(row, seed=seed, folder=folder, namespaces=namespaces) as running:
            found = running.run()
    except (AssertionError, OSError) as error:
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
