"""The packaged nano codec from a file to a sink, through processes and a broker that are real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.broker import RunningBroker, find_mosquitto, start_broker
from protocol.status import StatusMessage, decode_status
from tests.integration.watcher import TOPICS, Watcher

CLIP = Path(__file__).resolve().parents[2] / "gateway" / "assets" / "demo_speech.flac"
END_S = 40.0
FRAME_S = 0.08

Stats = dict[str, Any]
Start = Callable[..., "subprocess.Popen[str]"]


@dataclass(frozen=True, slots=True)
class NanoRun:
    """What one stream left behind: the counters of both ends and what was heard."""

    gateway: Stats
    player: Stats
    wav: Path


def start_mosquitto(directory: Path, *, port: int = 0) -> RunningBroker:
    """Mosquitto and no other broker; skips where it is not installed."""
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    return start_broker(directory, prefer="mosquitto", port=port)


@contextmanager
def processes() -> Iterator[Start]:
    """`start(module, *arguments, prelude="")`: a command as a process; what still runs at the end is killed.

    prelude: a program to run in the child before the module's command line.
    """
    running: list[subprocess.Popen[str]] = []

    def start(
        module: str, *arguments: str, stdin: int = subprocess.DEVNULL, prelude: str = ""
    ) -> subprocess.Popen[str]:
        run_main = f"{prelude}\nimport sys\nfrom {module}.cli import main\nsys.exit(main())\n"
        process = subprocess.Popen(
            [sys.executable, *(["-c", run_main] if prelude else ["-m", module]), *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("VOXWIRE_")}
            | {"OMP_NUM_THREADS": "1"},
        )
        running.append(process)
        return process

    try:
        yield start
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
            process.communicate()


def finish(process: subprocess.Popen[str], timeout_s: float = END_S) -> str:
    """Wait for a process that ends well by itself; returns its standard error."""
    _, err = process.communicate(timeout=timeout_s)
    assert process.returncode == 0, err
    return err


class NanoStream:
    """One stream of the bundled clip: a player that waits for it, and a gateway that sends it."""

    def __init__(self, name: str, *, start: Start, watcher: Watcher, broker: RunningBroker, folder: Path) -> None:
        self.name = name
        self.tokens = TOPICS.tokens(name)
        self.player_status = TOPICS.edge_status(name)
        self.player_metrics = TOPICS.edge_metrics(name)
        self.gateway_status = TOPICS.gateway_status(name)
        self.wav = folder / f"{name}.wav"
        self._config = folder / f"{name}.toml"
        self._start = start
        self._watcher = watcher
        self._files = {end: folder / f"{name}-{end}.json" for end in ("player", "gateway")}
        self._common = ["run", "--stream", name, "--broker", broker.url, "--id", name]

    def start_player(self, *more: str, metrics_s: float = 0.0, prelude: str = "") -> subprocess.Popen[str]:
        """A player that ends with the stream; `metrics_s`: how often it publishes its counters, 0 for never."""
        self._config.write_text(f"[run]\nmetrics_s = {metrics_s}\n")
        arguments = ["--out", str(self.wav), "--wait", "--exit-on-stop", "--stats-file", str(self._files["player"])]
        arguments += ["--config", str(self._config), *more]
        process = self._start("edge_player", *self._common, *arguments, prelude=prelude)
        self._watcher.rely_on(process)
        return process

    def wait_for_player(self) -> None:
        """Until the player says for the first time that it is there, which it does right behind its subscriptions."""
        self._watcher.wait_for_status(self.player_status, _is_waiting, "the player")

    def wait_until_whole(self, frames: int, *, after: int) -> None:
        """Until so many frames in a row were played, by the player's metrics but the first `after` messages."""

        def whole() -> bool:
            counts = [decode_status(message.payload).stats for message in self._watcher.on(self.player_metrics)[after:]]
            due = [int(count["frames_due"]) for count in counts]
            lost = [int(count["frames_due"]) - int(count["frames_played"]) for count in counts]
            return any(then <= due[-1] - frames and lost[-1] == gone for then, gone in zip(due, lost, strict=True))

        self._watcher.wait_until(whole, f"{frames} frames of {self.name} in a row")

    def start_gateway(self, *arguments: str) -> subprocess.Popen[str]:
        """A gateway of the bundled clip."""
        self._files["gateway"].unlink(missing_ok=True)
        arguments = ("--source", str(CLIP), "--stats-file", str(self._files["gateway"]), *arguments)
        process = self._start("gateway", *self._common, *arguments)
        self._watcher.rely_on(process)
        return process

    def stats(self, end: str) -> Stats:
        """The final counters of `player` or `gateway`."""
        values: Stats = json.loads(self._files[end].read_text())
        return values

    def collect(self) -> NanoRun:
        """Once both ends have ended: the counters, with the identities checked."""
        run = NanoRun(self.stats("gateway"), self.stats("player"), self.wav)
        assert_identities(run)
        return run


def _is_waiting(status: StatusMessage) -> bool:
    return status.state == "waiting"


def assert_identities(run: NanoRun) -> None:
    """Every frame is accounted for, once, at both ends."""
    gateway, player = run.gateway, run.player
    assert gateway["frames_encoded"] == sum(gateway[f"frames_{what}"] for what in ("published", "dropped", "silent"))
    parts = ("frames_played", "frames_concealed", "frames_skipped", "frames_comfort")
    assert player["frames_due"] == sum(player[part] for part in parts), player


def assert_every_frame_was_played(run: NanoRun) -> None:
    """Nothing was lost between the encoder and the sink."""
    sent, got = run.gateway, run.player
    assert sent["frames_encoded"] == sent["frames_published"] == got["frames_due"] == got["frames_played"]
    assert got["frames_concealed"] == got["frames_skipped"] == got["frames_comfort"] == got["underruns"] == 0, got


def play_through(
    folder: Path, options: Sequence[Sequence[str]], *, seconds: float, player_prelude: str = ""
) -> list[NanoRun]:
    """Send the first `seconds` of the clip once for each row of gateway options, all at the same time."""
    with start_mosquitto(folder / "broker") as broker, Watcher(broker.url) as watcher, processes() as start:
        streams = [
            NanoStream(f"nano-{number}", start=start, watcher=watcher, broker=broker, folder=folder)
            for number in range(len(options))
        ]
        running = [stream.start_player(prelude=player_prelude) for stream in streams]
        for stream in streams:
            stream.wait_for_player()
        for stream, arguments in zip(streams, options, strict=True):
            running.append(stream.start_gateway("--for", f"{seconds:g}s", "--start-delay", "500ms", *arguments))
        for process in reversed(running):
            finish(process, seconds + END_S)
        return [stream.collect() for stream in streams]
