"""A real MQTT broker in a process of its own, for the demo and for tests.

Mosquitto where it is installed, otherwise amqtt (which speaks MQTT 3.1.1 only). Both listen on loopback alone.
"""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from gateway.errors import DemoError

BrokerKind = Literal["auto", "mosquitto", "amqtt"]

HOST: Final = "127.0.0.1"
READY_TIMEOUT_S: Final = 15.0  # importing amqtt on a small machine that is busy takes seconds
READY_POLL_S: Final = 0.01
READY_MARKS: Final = {"mosquitto": " running", "amqtt": "amqtt listens on"}  # what each logs once it listens
STOP_TIMEOUT_S: Final = 3.0
PORT_ATTEMPTS: Final = 5  # a free port may be taken between choosing it and listening on it
SERVICE_PATHS: Final = ("/usr/sbin", "/usr/local/sbin")  # Debian puts mosquitto where a user's PATH does not look


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of a broker that speaks TLS; `client_ca`: authority whose clients alone may connect."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(slots=True)
class RunningBroker:
    """A broker that accepts connections; a context manager that stops it."""

    name: str
    host: str
    port: int
    process: subprocess.Popen[bytes]
    log_path: Path
    tls: bool = False
    _stopped: bool = field(default=False, repr=False)

    @property
    def url(self) -> str:
        """What to give to --broker."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"

    def stop(self) -> None:
        """End the process, a frozen or stubborn one by force. Harmless when repeated."""
        if self._stopped:
            return
        self._stopped = True
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def start_broker(
    directory: Path,
    *,
    prefer: BrokerKind = "auto",
    port: int = 0,
    users: Mapping[str, str] | None = None,
    tls: TlsFiles | None = None,
    settings: Mapping[str, str] | None = None,
) -> RunningBroker:
    """Start a broker and return once it accepts connections.

    directory: where its settings and its log go. port: 0 chooses a free one. users: names and passwords; None lets
    everyone in; no colons and line breaks, which end a field there. settings: further lines of mosquitto.conf. Raises
    DemoError when no broker is installed or when it ends at once.
    """
    if users is not None and any(mark in text for login in users.items() for text in login for mark in ":\n"):
        raise ValueError("user names and passwords must not contain colons or line breaks")
    kind = _choose(prefer)
    directory.mkdir(parents=True, exist_ok=True)
    attempts = 1 if port else PORT_ATTEMPTS
    for attempt in range(1, attempts + 1):
        chosen = port or _free_port()
        if kind == "mosquitto":
            command = _mosquitto_command(directory, chosen, users, tls, settings or {})
        else:
            command = _amqtt_command(directory, chosen, users, tls)
        broker = _launch(kind, command, directory, chosen, tls=tls is not None)
        try:
            _wait_ready(broker)
        except BaseException as error:
            broker.stop()
            if not isinstance(error, DemoError):
                raise
            if attempt == attempts or "in use" not in _last_lines(broker.log_path):
                raise
        else:
            return broker
    raise AssertionError("unreachable: the last attempt returns or raises")


def find_mosquitto() -> str | None:
    """Path of the mosquitto program; None where it is not installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=os.pathsep.join(SERVICE_PATHS))


def _choose(prefer: BrokerKind) -> Literal["mosquitto", "amqtt"]:
    if prefer in ("auto", "mosquitto") and find_mosquitto() is not None:
        return "mosquitto"
    if prefer in ("auto", "amqtt") and importlib.util.find_spec("amqtt") is not None:
        return "amqtt"
    if prefer == "auto":
        raise DemoError(
            "no MQTT broker is installed; install one: apt-get install mosquitto, or pip install 'voxwire[demo]'"
        )
    raise DemoError(f"the broker {prefer} is not installed; install it, or let the choice be 'auto'")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _mosquitto_command(
    directory: Path, port: int, users: Mapping[str, str] | None, tls: TlsFiles | None, settings: Mapping[str, str]
) -> list[str]:
    lines = [
        f"listener {port} {HOST}",
        f"allow_anonymous {'true' if users is None else 'false'}",
        f"user {getpass.getuser()}",  # when started by root it would become a user who cannot read our files
        "set_tcp_nodelay true",
        "persistence false",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_type information",
    ]
    if users is not None:
        lines.append(f"password_file {_mosquitto_passwords(directory, users)}")
    if tls is not None:
        lines += [f"certfile {tls.certificate}", f"keyfile {tls.key}"]
        if tls.client_ca is not None:
            lines += [f"cafile {tls.client_ca}", "require_certificate true"]
    lines += [f"{name} {value}" for name, value in settings.items()]
    path = directory / "mosquitto.conf"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    program = find_mosquitto()
    assert program is not None
    return [*die_with_parent(), program, "-c", str(path)]


def _mosquitto_passwords(directory: Path, users: Mapping[str, str]) -> Path:
    """A password file hashed by Mosquitto's own tool."""
    path = directory / "mosquitto.passwd"
    path.write_text("".join(f"{name}:{password}\n" for name, password in users.items()), encoding="utf-8")
    path.chmod(0o600)
    tool = shutil.which("mosquitto_passwd") or "mosquitto_passwd"
    try:
        subprocess.run([tool, "-U", str(path)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        path.unlink()  # it holds passwords in the clear
        raise DemoError(f"mosquitto_passwd could not hash the passwords: {error}") from error
    return path


def _amqtt_command(directory: Path, port: int, users: Mapping[str, str] | None, tls: TlsFiles | None) -> list[str]:
    # By path, and with no folder of ours in front of its import path (-P): it starts wherever we were started from,
    # and without loading the rest of this package.
    script = Path(__file__).with_name("amqtt_broker.py")
    command = [sys.executable, "-P", str(script), "--host", HOST, "--port", str(port)]
    if users is not None:
        command += ["--password-file", str(_amqtt_passwords(directory, users))]
    if tls is not None:
        if tls.client_ca is not None:
            raise DemoError("amqtt is not set up here to ask clients for certificates; use mosquitto")
        command += ["--certificate", str(tls.certificate), "--key", str(tls.key)]
    return command


def _amqtt_passwords(directory: Path, users: Mapping[str, str]) -> Path:
    """A password file with hashes as amqtt reads them."""
    from pwdlib import PasswordHash  # comes with amqtt, which need not be installed
    from pwdlib.hashers.argon2 import Argon2Hasher

    hasher = PasswordHash((Argon2Hasher(),))
    path = directory / "amqtt.passwd"
    path.write_text("".join(f"{name}:{hasher.hash(word)}\n" for name, word in users.items()), encoding="utf-8")
    return path


def die_with_parent() -> list[str]:
    """A wrapper that ends a child when we are killed and cannot stop it; util-linux, hence on every Debian."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv is not None else []


def _launch(kind: str, command: list[str], directory: Path, port: int, *, tls: bool) -> RunningBroker:
    log_path = directory / f"{kind}.log"
    with log_path.open("wb") as log:
        # The pipe tells amqtt that we are gone: it reads end of file.
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
    return RunningBroker(kind, HOST, port, process, log_path, tls=tls)


def _wait_ready(broker: RunningBroker) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if broker.process.poll() is not None:
            status, said = broker.process.returncode, _last_lines(broker.log_path)
            raise DemoError(f"the broker {broker.name} ended with status {status}: {said}")
        # Not by connecting: another program may listen on that port, and ours be about to give up.
        if READY_MARKS[broker.name] in broker.log_path.read_text(encoding="utf-8", errors="replace"):
            return
        time.sleep(READY_POLL_S)
    raise DemoError(f"the broker {broker.name} accepts nobody after {READY_TIMEOUT_S:g} s; see {broker.log_path}")


def _last_lines(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return "; ".join(lines[-3:])
