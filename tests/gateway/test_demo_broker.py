"""The broker of the demo: a real one, in a process of its own, gone when it should be."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.demo.broker import BrokerKind, find_mosquitto, start_broker
from gateway.errors import DemoError
from protocol.transport import BrokerConfig, Connection

pytestmark = pytest.mark.broker
KINDS: list[BrokerKind] = ["mosquitto", "amqtt"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> BrokerKind:
    if request.param == "mosquitto" and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    chosen: BrokerKind = request.param
    return chosen


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def test_it_answers_and_is_gone_after_stop(kind: BrokerKind, tmp_path: Path) -> None:
    with start_broker(tmp_path, prefer=kind) as broker:
        assert (broker.name, broker.host) == (kind, "127.0.0.1")
        assert broker.url == f"mqtt://127.0.0.1:{broker.port}"
        with Connection(BrokerConfig(broker.url)) as connection:
            connection.wait_connected(10.0)
    assert broker.process.poll() == 0
    assert not is_listening(broker.port)
    broker.stop()


def test_a_frozen_broker_is_ended_by_force(kind: BrokerKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.demo.broker.STOP_TIMEOUT_S", 0.2)
    broker = start_broker(tmp_path, prefer=kind)
    os.kill(broker.process.pid, signal.SIGSTOP)
    broker.stop()
    assert broker.process.returncode == -signal.SIGKILL


def test_a_broker_does_not_outlive_who_started_it(kind: BrokerKind, tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from gateway.demo.broker import start_broker\n"
        "print(start_broker(pathlib.Path(sys.argv[1]), prefer=sys.argv[2]).port, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), kind], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        assert is_listening(port)
        child.kill()
    deadline = time.monotonic() + 10.0
    while is_listening(port):
        assert time.monotonic() < deadline, "the broker is an orphan"
        time.sleep(0.02)


def test_a_port_in_use_is_said(kind: BrokerKind, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(DemoError, match="in use"):
        start_broker(tmp_path, prefer=kind, port=taken.getsockname()[1])


def test_another_port_is_tried_when_the_chosen_one_was_taken_meanwhile(
    kind: BrokerKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ports = iter([taken.getsockname()[1], free.getsockname()[1]])
        free.close()
        monkeypatch.setattr("gateway.demo.broker._free_port", lambda: next(ports))
        with start_broker(tmp_path, prefer=kind) as broker:
            assert broker.port != taken.getsockname()[1]


def test_without_mosquitto_amqtt_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.demo.broker.find_mosquitto", lambda: None)
    with start_broker(tmp_path) as broker:
        assert broker.name == "amqtt"
    with pytest.raises(DemoError, match="mosquitto is not installed"):
        start_broker(tmp_path, prefer="mosquitto")


def test_without_any_broker_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.demo.broker.find_mosquitto", lambda: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DemoError, match="apt-get install mosquitto"):
        start_broker(tmp_path)


def test_a_password_with_a_colon_is_refused_before_it_is_cut(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="colons"):
        start_broker(tmp_path, users={"edge": "a:b"})


def test_passwords_are_not_kept_in_the_clear(kind: BrokerKind, tmp_path: Path) -> None:
    with start_broker(tmp_path, prefer=kind, users={"edge": "hunter2"}):
        for path in tmp_path.iterdir():
            assert b"hunter2" not in path.read_bytes(), path
