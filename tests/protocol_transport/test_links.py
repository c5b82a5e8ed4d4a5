"""WebSockets and several addresses, with real brokers."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.demo.broker import RunningBroker, TlsFiles, find_mosquitto, start_broker
from protocol.transport import (
    BrokerConfig,
    BrokerUnavailableError,
    Connection,
    ConnectionState,
    NotAuthorisedError,
    TlsRefusedError,
    Will,
)

if TYPE_CHECKING:
    from tests.protocol_transport.conftest import Authority, Connect, Inbox, Script, Until

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def ws_broker(tmp_path: Path) -> Iterator[tuple[RunningBroker, str]]:
    """Mosquitto and the address of its WebSocket listener, which in 2.0 needs an ordinary one beside it."""
    port = free_port()
    with start_broker(
        tmp_path / "broker", prefer="mosquitto", settings={"listener": f"{port}\nprotocol websockets"}
    ) as broker:
        yield broker, f"ws://127.0.0.1:{port}"


@pytest.fixture
def wss_broker(tmp_path: Path, authority: Authority) -> Iterator[tuple[RunningBroker, str]]:
    port = free_port()
    listener = f"{port}\nprotocol websockets\ncertfile {authority.certificate}\nkeyfile {authority.key}"
    files = TlsFiles(authority.certificate, authority.key)
    with start_broker(tmp_path / "broker", prefer="mosquitto", tls=files, settings={"listener": listener}) as broker:
        yield broker, f"wss://127.0.0.1:{port}"


def test_messages_travel_over_a_websocket_and_are_metered(
    ws_broker: tuple[RunningBroker, str], connect: Connect, until: Until, inbox: Inbox
) -> None:
    broker, url = ws_broker
    config = BrokerConfig(url)
    receiver, sender = connect(broker, config=config), connect(broker, config=config, outbox_capacity=500)
    receiver.subscribe("t", 1, inbox)
    assert receiver.flush(5.0)
    for index in range(200):
        sender.publish("t", index.to_bytes(2, "big") * (index + 1), qos=index % 2)
    assert sender.flush(10.0)
    until(lambda: len(inbox.messages) == 200)
    assert sorted(inbox.payloads) == sorted(index.to_bytes(2, "big") * (index + 1) for index in range(200))
    wire = receiver.wire()
    assert wire is not None
    assert wire.bytes_in > sum(2 * (index + 1) for index in range(200))
    assert sender.protocol_version == 5


def test_large_messages_pass_a_websocket_whole(
    ws_broker: tuple[RunningBroker, str], connect: Connect, until: Until, inbox: Inbox
) -> None:
    broker, url = ws_broker
    receiver, sender = connect(broker, config=BrokerConfig(url)), connect(broker, config=BrokerConfig(url))
    receiver.subscribe("clip", 1, inbox)
    receiver.flush(5.0)
    clips = [os.urandom(64 * 1024) for _ in range(2)]  # Mosquitto 2.0 sends 40 kB a second in WebSockets
    for clip in clips:
        sender.publish("clip", clip, qos=1, reliable=True)
    assert sender.flush(10.0)
    until(lambda: len(inbox.messages) == 2)
    assert inbox.payloads == clips


def test_leaving_over_a_websocket_is_polite(
    ws_broker: tuple[RunningBroker, str], connect: Connect, until: Until, inbox: Inbox
) -> None:
    broker, url = ws_broker
    watcher = connect(broker)
    watcher.subscribe("status", 1, inbox)
    watcher.flush(5.0)
    leaver = connect(broker, config=BrokerConfig(url), will=Will("status", b"vanished"), offline=Will("status", b"bye"))
    leaver.publish("status", b"online", qos=1)
    leaver.stop()
    until(lambda: len(inbox.messages) == 2)
    assert inbox.payloads == [b"online", b"bye"], "no will"


def test_a_websocket_over_tls(
    wss_broker: tuple[RunningBroker, str], authority: Authority, connect: Connect, until: Until, inbox: Inbox
) -> None:
    broker, url = wss_broker
    config = BrokerConfig(url, ca_file=authority.ca, tls_min="1.3")
    receiver, sender = connect(broker, config=config), connect(broker, config=config, outbox_capacity=500)
    receiver.subscribe("t", 1, inbox)
    assert receiver.flush(5.0)
    for index in range(200):  # several frames in one TLS record, and several messages in one read
        sender.publish("t", bytes([index]))
    assert sender.flush(10.0)
    until(lambda: len(inbox.messages) == 200)
    assert inbox.payloads == [bytes([index]) for index in range(200)]
    with Connection(BrokerConfig(url, ca_file=authority.other_ca)) as stranger:
        with pytest.raises(TlsRefusedError, match="not issued by an authority"):
            stranger.wait_connected(10.0)
        stranger.stop(0.2)


def test_a_websocket_survives_a_stalled_broker(
    ws_broker: tuple[RunningBroker, str], connect: Connect, until: Until, inbox: Inbox
) -> None:
    broker, url = ws_broker
    receiver = connect(broker)
    receiver.subscribe("t", 1, inbox)
    receiver.flush(5.0)
    sender = connect(broker, config=BrokerConfig(url, stall_timeout_s=60), outbox_capacity=3, max_age_s=60.0)
    os.kill(broker.process.pid, signal.SIGSTOP)

    def publish_until_dropped() -> bool:
        sender.publish("t", os.urandom(60000))
        return sender.stats().messages_dropped >= 5

    until(publish_until_dropped, "the outbox to overflow")
    os.kill(broker.process.pid, signal.SIGCONT)
    assert sender.flush(10.0)
    until(lambda: len(inbox.messages) == sender.stats().messages_published)
    assert all(len(payload) == 60000 for payload in inbox.payloads)


def test_a_port_that_is_no_websocket_is_said(mosquitto: RunningBroker) -> None:
    url = mosquitto.url.replace("mqtt:", "ws:")
    with Connection(BrokerConfig(url, connect_timeout_s=0.5)) as connection:
        with pytest.raises(BrokerUnavailableError, match=r"does it speak WebSocket|no answer within"):
            connection.wait_connected(1.0)
        connection.stop(0.2)


# --- several addresses ---


def nobody() -> str:
    return f"mqtt://127.0.0.1:{free_port()}"


def test_the_next_address_is_tried_at_once(mosquitto: RunningBroker, connect: Connect) -> None:
    dead = nobody()
    started = time.monotonic()
    connection = connect(mosquitto, config=BrokerConfig(f"{dead},{mosquitto.url}"))
    assert time.monotonic() - started < 1.0
    assert connection.address == mosquitto.url
    assert connection.stats().connect_failures == 1


def test_every_address_that_fails_is_explained(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    first, silent = nobody(), script(lambda index, sock: None)
    config = BrokerConfig(f"{first},{silent.url}", connect_timeout_s=0.2)
    with caplog.at_level(logging.WARNING), Connection(config) as connection:
        with pytest.raises(BrokerUnavailableError) as caught:
            connection.wait_connected(1.5)
        connection.stop(0.2)
    assert f"{first}: connection refused" in str(caught.value)
    assert f"{silent.url}: no answer to CONNECT within 0.2 s" in str(caught.value)
    assert [sum(url in record.message for record in caplog.records) for url in (first, silent.url)] == [1, 1]


def test_a_broker_that_dies_is_replaced_by_the_other(
    tmp_path: Path, connect: Connect, until: Until, inbox: Inbox
) -> None:
    with start_broker(tmp_path / "2", prefer="mosquitto") as second:
        with start_broker(tmp_path / "1", prefer="mosquitto") as first:
            config = BrokerConfig(f"{first.url},{second.url}")
            receiver, sender = connect(first, config=config), connect(first, config=config)
            receiver.subscribe("t", 1, inbox)
            assert receiver.flush(5.0)
            assert {receiver.address, sender.address} == {first.url}
        until(lambda: receiver.stats().connects == sender.stats().connects == 2, "the other broker")
        assert {receiver.address, sender.address} == {second.url}
        assert receiver.flush(5.0)
        sender.publish("t", b"fresh", qos=1)
        until(lambda: inbox.payloads == [b"fresh"])
        receiver.stop()
        sender.stop()


def test_a_login_that_all_refuse_is_said_once_for_each_and_not_hammered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        start_broker(tmp_path / "1", prefer="mosquitto", users={"edge": "right"}) as first,
        start_broker(tmp_path / "2", prefer="mosquitto", users={"edge": "right"}) as second,
        caplog.at_level(logging.WARNING),
        Connection(BrokerConfig(f"{first.url},{second.url}", username="edge", password="wrong")) as connection,
    ):
        with pytest.raises(NotAuthorisedError) as caught:
            connection.wait_connected(10.0)
        assert all(f"{broker.url}: the broker refused the login" in str(caught.value) for broker in (first, second))
        time.sleep(1.0)  # four jittered delays' worth
        assert connection.stats().connect_failures == 2
        assert sum("refused the login" in record.message for record in caplog.records) == 2


def test_one_address_that_lets_us_in_is_enough(tmp_path: Path, mosquitto: RunningBroker, connect: Connect) -> None:
    with start_broker(tmp_path / "strict", prefer="mosquitto", users={"edge": "right"}) as strict:
        config = BrokerConfig(f"{strict.url},{mosquitto.url}", username="edge", password="wrong")
        connection = connect(mosquitto, config=config)
        assert connection.address == mosquitto.url
        assert connection.state is ConnectionState.CONNECTED
        connection.stop()
