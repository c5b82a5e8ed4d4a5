"""Real brokers on free ports, and waiting on conditions with a deadline."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from gateway.demo.broker import RunningBroker, TlsFiles, find_mosquitto, start_broker
from protocol.transport import BrokerConfig, Connection, Message
from tests.certificates import Issued, issue, write_pem

DEADLINE_S = 15.0


class Until(Protocol):
    """Waits for a condition; fails the test when it does not come true in time."""

    def __call__(self, condition: Callable[[], object], what: str = "the condition") -> None: ...


class Connect(Protocol):
    """Makes a connected Connection that is stopped at the end of the test."""

    def __call__(self, broker: RunningBroker, **options: object) -> Connection: ...


class Inbox:
    """A handler that keeps what it gets."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def __call__(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.messages]


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def until() -> Until:
    def wait(condition: Callable[[], object], what: str = "the condition") -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not come true within {DEADLINE_S:g} s")
            time.sleep(0.005)

    return wait


@pytest.fixture(scope="session")
def _mosquitto_installed() -> None:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")


@pytest.fixture
def mosquitto(_mosquitto_installed: None, tmp_path: Path) -> Iterator[RunningBroker]:
    with start_broker(tmp_path / "broker", prefer="mosquitto") as broker:
        yield broker


@pytest.fixture
def amqtt(tmp_path: Path) -> Iterator[RunningBroker]:
    pytest.importorskip("amqtt")
    with start_broker(tmp_path / "broker", prefer="amqtt") as broker:
        yield broker


@pytest.fixture(params=["mosquitto", "amqtt"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningBroker]:
    """Each of the two brokers that the demo may use."""
    if request.param == "mosquitto":
        request.getfixturevalue("_mosquitto_installed")
    with start_broker(tmp_path / "broker", prefer=request.param) as running:
        yield running


@pytest.fixture
def connect() -> Iterator[Connect]:
    with ExitStack() as stack:

        def make(broker: RunningBroker, **options: object) -> Connection:
            config = options.pop("config", None) or BrokerConfig(broker.url)
            connection = Connection(config, **options)  # type: ignore[arg-type]
            stack.callback(connection.stop, 0.5)
            connection.start()
            connection.wait_connected(DEADLINE_S)
            return connection

        yield make


class ScriptedBroker:
    """A listening socket whose peer is played by a function: bytes that no honest broker would send.

    `play(index, sock)` gets the number of the connection, from 0, and the socket after CONNECT was read.
    """

    def __init__(self, play: Callable[[int, socket.socket], None]) -> None:
        self._play = play
        self.connects: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._peers: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
            peer.close()
        self._thread.join(5.0)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self._peers.append(peer)
                self.connects.append(peer.recv(4096))
                threading.Thread(target=self._speak, args=(len(self.connects) - 1, peer), daemon=True).start()

    def _speak(self, index: int, peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._play(index, peer)


class Script(Protocol):
    """Starts a ScriptedBroker that is closed at the end of the test."""

    def __call__(self, play: Callable[[int, socket.socket], None]) -> ScriptedBroker: ...


@pytest.fixture
def script() -> Iterator[Script]:
    with ExitStack() as stack:

        def make(play: Callable[[int, socket.socket], None]) -> ScriptedBroker:
            broker = ScriptedBroker(play)
            stack.callback(broker.close)
            return broker

        yield make


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority made for one test run; all paths are PEM files."""

    ca: Path
    certificate: Path
    key: Path
    expired: TlsFiles
    early: TlsFiles
    client_certificate: Path
    client_key: Path
    expired_client: TlsFiles
    other_ca: Path
    other_client: TlsFiles


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authority")
    ca_key, ca = issue("test authority", None)
    server_key, server = issue("127.0.0.1", (ca_key, ca))
    client_key, client = issue("edge-1", (ca_key, ca))
    other = issue("another authority", None)

    def pair(file: str, name: str, issuer: Issued, days: tuple[int, int]) -> TlsFiles:
        key, certificate = issue(name, issuer, days)
        return TlsFiles(write_pem(folder / f"{file}.crt", certificate), write_pem(folder / f"{file}.key", key))

    return Authority(
        ca=write_pem(folder / "ca.crt", ca),
        certificate=write_pem(folder / "server.crt", server),
        key=write_pem(folder / "server.key", server_key),
        expired=pair("expired", "127.0.0.1", (ca_key, ca), (-3, -1)),
        early=pair("early", "127.0.0.1", (ca_key, ca), (1, 3)),
        client_certificate=write_pem(folder / "client.crt", client),
        client_key=write_pem(folder / "client.key", client_key),
        expired_client=pair("expired-client", "edge-2", (ca_key, ca), (-3, -1)),
        other_ca=write_pem(folder / "other.crt", other[1]),
        other_client=pair("other-client", "edge-3", other, (-1, 1)),
    )
