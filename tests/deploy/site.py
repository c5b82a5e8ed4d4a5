"""The site of deploy/mosquitto as a test starts it: its own files, with other ports and another place."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from gateway.demo.broker import find_mosquitto

SOURCE = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto"
HOST = "127.0.0.1"
DEVICES, PASSWORDS, WEB = 8883, 8884, 8083
"""The listeners by the port that they have in the files."""
DEADLINE_S = 15.0
PORT_ATTEMPTS = 5
LOOK_S = 0.01


@dataclass(slots=True)
class Site:
    """`made` by site.sh below `folder`; a broker runs between `start` and `stop`. A context manager that stops it."""

    folder: Path
    ports: dict[int, int] = field(default_factory=dict)
    broker: subprocess.Popen[bytes] | None = None

    def script(self, *arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run site.sh; what it says and how it ended."""
        return subprocess.run(
            [str(SOURCE / "site.sh"), *arguments],
            env={**os.environ, "SITE": str(self.folder / "site"), **environ},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )

    def make(self, *arguments: str, stdin: str = "", **environ: str) -> str:
        """Run site.sh, which must end well; what it said."""
        done = self.script(*arguments, stdin=stdin, **environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install(self) -> None:
        """As root would on the broker's machine, below `root`."""
        self.make("install", str(self.root))

    @property
    def root(self) -> Path:
        """Stands for / of the broker's machine."""
        return self.folder / "root"

    @property
    def authority(self) -> Path:
        return self.folder / "site" / "authority"

    def device(self, name: str) -> Path:
        """What is copied to that device."""
        return self.folder / "site" / "clients" / name

    def ca(self) -> Path:
        return self.folder / "site" / "broker" / "ca.crt"

    def url(self, listener: int = DEVICES) -> str:
        return f"{'wss' if listener == WEB else 'mqtts'}://{HOST}:{self.ports[listener]}"

    def start(self) -> None:
        """Start Mosquitto on the installed files."""
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self.ports = dict(zip((DEVICES, PASSWORDS, WEB), _free_ports(3), strict=True))
            if self._launch():
                return
            assert attempt < PORT_ATTEMPTS, self.log()

    def _launch(self) -> bool:
        (self.root / "run").mkdir(exist_ok=True)
        self._adapt(SOURCE / "websockets.conf", self.root / "etc" / "mosquitto" / "conf.d" / "websockets.conf")
        # Started by root it would become the user mosquitto, who cannot read a test's folder.
        settings = self.folder / "mosquitto.conf"
        self._adapt(self.root / "etc" / "mosquitto" / "mosquitto.conf", settings, f"user {getpass.getuser()}\n")
        command = [find_mosquitto() or "mosquitto", "-c", str(settings)]
        setpriv = shutil.which("setpriv")
        if setpriv is not None:
            command = [setpriv, "--pdeathsig", "TERM", *command]
        with self.log_path.open("wb") as log:
            self.broker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        running = self.broker
        until(lambda: " running" in self.log() or running.poll() is not None, "the broker's start")
        if running.poll() is None:
            return True
        assert "in use" in self.log(), self.log()
        return False

    def _adapt(self, source: Path, target: Path, head: str = "") -> None:
        """The file as it is, changed where this machine must differ and nowhere else."""
        text = source.read_text()
        assert "/etc/mosquitto/" in text
        assert "\nlistener " in text
        text = text.replace("/etc/mosquitto/", f"{self.root}/etc/mosquitto/")
        text = text.replace("/run/mosquitto/", f"{self.root}/run/")
        for old, new in self.ports.items():
            text = text.replace(f"\nlistener {old}\n", f"\nlistener {new} {HOST}\n")
        target.write_text(head + text)

    @property
    def log_path(self) -> Path:
        return self.folder / "mosquitto.log"

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_for_log(self, text: str) -> None:
        until(lambda: text in self.log(), f"{text!r} in the broker's log")

    def wait_for_count(self, text: str, count: int) -> None:
        until(lambda: self.log().count(text) >= count, f"{text!r} for the {count}. time in the broker's log")

    def reload(self) -> None:
        """What `systemctl reload mosquitto` does."""
        assert self.broker is not None
        count = self.log().count("Reloading config")
        self.broker.send_signal(signal.SIGHUP)
        until(lambda: self.log().count("Reloading config") > count, "the reload")

    def rss_bytes(self) -> int:
        """What the broker holds in memory now."""
        assert self.broker is not None
        fields = Path(f"/proc/{self.broker.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        if self.broker is not None and self.broker.poll() is None:
            self.broker.terminate()
            try:
                self.broker.wait(5.0)
            except subprocess.TimeoutExpired:
                self.broker.kill()
                self.broker.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def make_site(folder: Path, *members: str) -> Site:
    """A site for `localhost` and 127.0.0.1 with these members, each as `add` takes it; skips without Mosquitto."""
    if find_mosquitto() is None or shutil.which("openssl") is None:
        pytest.skip("mosquitto or openssl is not installed")
    site = Site(folder)
    site.make("init", "localhost", HOST)
    for member in members:
        site.make("add", *member.split(), stdin=f"{PASSWORD}\n" if "--password" in member else "")
    site.install()
    return site


PASSWORD = "correct horse battery"


def until(condition: Callable[[], object], what: str, *, deadline_s: float = DEADLINE_S) -> None:
    """Return once `condition` holds; fail the test when it does not in time."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come within {deadline_s:g} s")
        time.sleep(LOOK_S)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
