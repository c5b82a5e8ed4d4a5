"""The connection on bad days: no broker, a stalled one, one that restarts, refuses or talks nonsense."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.demo.broker import BrokerKind, RunningBroker, start_broker
from protocol.service import ExitCode
from protocol.transport import (
    BrokerConfig,
    BrokerUnavailableError,
    Connection,
    ConnectionState,
    NotAuthorisedError,
    TransportStats,
)

if TYPE_CHECKING:
    from tests.protocol_transport.conftest import Connect, Inbox, Script, Until

pytestmark = pytest.mark.broker

CONNACK_5 = bytes.fromhex("2003000000")
CONNACK_311 = bytes.fromhex("20020000")


def balanced(stats: TransportStats) -> bool:
    """Is every live message accounted for, once?"""
    causes = stats.dropped_overflow + stats.dropped_stale + stats.dropped_refused + stats.dropped_unsent
    return causes == stats.messages_dropped and stats.messages_waiting >= 0 and stats.weight_waiting >= 0


def bytes_out(connection: Connection) -> int:
    wire = connection.wire()
    assert wire is not None
    return wire.bytes_out


def test_a_broker_that_is_down_is_one_clear_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"mqtt://127.0.0.1:{free.getsockname()[1]}"
        with Connection(BrokerConfig(url)) as connection:
            with pytest.raises(BrokerUnavailableError, match="connection refused; is a broker running") as caught:
                connection.wait_connected(0.5)
            assert url in str(caught.value)
            assert caught.value.exit_code == ExitCode.BROKER_UNAVAILABLE
            assert connection.state is ConnectionState.CONNECTING
            assert connection.last_error is not None
            assert connection.stats().connect_failures >= 1


def test_a_host_that_does_not_exist_is_said() -> None:
    with Connection(BrokerConfig("mqtt://no-such-host.invalid")) as connection:
        with pytest.raises(BrokerUnavailableError):
            connection.wait_connected(0.3)
        connection.stop(0.2)


def test_a_peer_that_accepts_and_says_nothing_is_given_up(script: Script) -> None:
    silent = script(lambda index, sock: None)
    with Connection(BrokerConfig(silent.url, connect_timeout_s=0.2)) as connection:
        with pytest.raises(BrokerUnavailableError, match=r"no answer to CONNECT within 0\.2 s"):
            connection.wait_connected(1.0)
        connection.stop(0.2)


def test_stop_does_not_wait_for_a_peer_that_says_nothing(script: Script) -> None:
    silent = script(lambda index, sock: None)
    connection = Connection(BrokerConfig(silent.url))
    connection.start()
    started = time.monotonic()
    connection.stop(2.0)
    assert time.monotonic() - started < 2.0
    assert connection.state is ConnectionState.CLOSED


def test_wrong_password_is_said_at_once_and_not_tried_again_and_again(tmp_path: Path, until: Until) -> None:
    with start_broker(tmp_path, prefer="mosquitto", users={"edge": "right"}) as broker:
        config = BrokerConfig(broker.url, username="edge", password="wrong")
        with Connection(config) as connection:
            with pytest.raises(NotAuthorisedError, match="refused the login as user 'edge'") as caught:
                connection.wait_connected(10.0)
            assert caught.value.exit_code == ExitCode.NOT_AUTHORISED
            assert "wrong" not in str(caught.value)
            time.sleep(1.0)  # four jittered delays' worth: a refused login must not be among them
            assert connection.stats().connect_failures == 1
            started = time.monotonic()
        assert time.monotonic() - started < 1.0, "the long wait must not hold up stopping"


@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
def test_the_right_password_is_let_in_and_a_missing_one_is_not(
    kind: BrokerKind, tmp_path: Path, connect: Connect
) -> None:
    with start_broker(tmp_path, prefer=kind, users={"edge": "päss word"}) as broker:
        password_file = tmp_path / "secret"
        password_file.write_text("päss word\n", encoding="utf-8")
        connection = connect(broker, config=BrokerConfig(broker.url, username="edge", password_file=password_file))
        connection.stop()
        with Connection(BrokerConfig(broker.url)) as anonymous, pytest.raises(NotAuthorisedError):
            anonymous.wait_connected(10.0)


def test_after_a_broker_restart_all_is_subscribed_and_announced_again(
    tmp_path: Path, connect: Connect, until: Until, inbox: Inbox
) -> None:
    with start_broker(tmp_path / "1", prefer="mosquitto") as first:
        receiver, sender = connect(first), connect(first)
        receiver.subscribe("manifest", 1, inbox)
        receiver.subscribe("t", 1, inbox)
        sender.on_connected(lambda: sender.publish("manifest", b"m", qos=1, retain=True, reliable=True))
        until(lambda: inbox.payloads == [b"m"])
    until(lambda: sender.state is ConnectionState.RECONNECTING and receiver.state is ConnectionState.RECONNECTING)
    with start_broker(tmp_path / "2", prefer="mosquitto", port=first.port):
        until(lambda: len(inbox.payloads) >= 2, "the manifest from a broker that had lost it")
        sender.wait_connected(10.0)
        sender.publish("t", b"fresh", qos=1)
        until(lambda: inbox.payloads[-1] == b"fresh", "a fresh packet after the restart")
        assert sender.stats().connects == receiver.stats().connects == 2
        assert sender.stats().disconnects == receiver.stats().disconnects == 1
        assert sender.last_error is None
        receiver.stop()
        sender.stop()


def test_the_will_is_delivered_when_the_process_is_killed(
    broker: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    watcher = connect(broker)
    watcher.subscribe("status", 1, inbox)
    watcher.flush(5.0)
    program = (
        "import sys, time\n"
        "from protocol.transport import BrokerConfig, Connection, Will\n"
        "connection = Connection(BrokerConfig(sys.argv[1]), will=Will('status', b'vanished'))\n"
        "connection.on_connected(lambda: connection.publish('status', b'online', qos=1, reliable=True))\n"
        "connection.start()\n"
        "time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, broker.url])
    try:
        until(lambda: inbox.payloads == [b"online"])
        child.kill()
        until(lambda: inbox.payloads == [b"online", b"vanished"])
    finally:
        child.kill()
        child.wait()


def test_a_stalled_broker_bounds_what_waits_at_qos_1(mosquitto: RunningBroker, connect: Connect, until: Until) -> None:
    sender = connect(mosquitto, outbox_capacity=5, window=3, max_age_s=60.0)
    sent_before = bytes_out(sender)
    os.kill(mosquitto.process.pid, signal.SIGSTOP)
    for _ in range(3):
        sender.publish("t", bytes(100), qos=1, weight=5)
    until(lambda: bytes_out(sender) >= sent_before + 3 * 100, "the window of three to be sent")
    for _ in range(20):
        sender.publish("t", bytes(100), qos=1, weight=5)
    stats = sender.stats()
    assert (stats.messages_accepted, stats.messages_published) == (23, 0)
    assert (stats.dropped_overflow, stats.weight_dropped) == (15, 75)
    assert (stats.messages_waiting, stats.weight_waiting) == (8, 40), "three in flight and five in the outbox"
    assert not sender.flush(0.05)
    os.kill(mosquitto.process.pid, signal.SIGCONT)
    assert sender.flush(10.0)
    stats = sender.stats()
    assert (stats.messages_published, stats.messages_waiting) == (8, 0)
    assert balanced(stats)


def test_a_stalled_broker_bounds_what_waits_at_qos_0(
    mosquitto: RunningBroker, connect: Connect, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    config = BrokerConfig(mosquitto.url, stall_timeout_s=60)
    sender = connect(mosquitto, outbox_capacity=4, max_age_s=60.0, config=config)
    os.kill(mosquitto.process.pid, signal.SIGSTOP)

    def publish_until_dropped() -> bool:
        sender.publish("t", bytes(64000), weight=2)
        return sender.stats().messages_dropped >= 10

    with caplog.at_level(logging.WARNING):
        until(publish_until_dropped, "the outbox to overflow")
    stats = sender.stats()
    assert stats.messages_waiting <= 5, "four in the outbox, one half written"
    assert balanced(stats)
    assert sum("outbox is full" in record.message for record in caplog.records) == 1, "once per episode"
    os.kill(mosquitto.process.pid, signal.SIGCONT)
    assert sender.flush(10.0)
    stats = sender.stats()
    assert stats.messages_accepted == stats.messages_published + stats.messages_dropped
    assert stats.weight_accepted == 2 * stats.messages_accepted


def test_a_full_live_window_does_not_delay_reliable_messages(
    mosquitto: RunningBroker, connect: Connect, until: Until
) -> None:
    sender = connect(mosquitto, window=1, max_age_s=60.0)
    sent_before = bytes_out(sender)
    os.kill(mosquitto.process.pid, signal.SIGSTOP)
    for _ in range(5):
        sender.publish("t", bytes(1000), qos=1)
    sender.publish("manifest", bytes(500), qos=1, reliable=True)
    until(lambda: bytes_out(sender) >= sent_before + 1500, "one live message and the manifest")
    assert bytes_out(sender) < sent_before + 2500
    os.kill(mosquitto.process.pid, signal.SIGCONT)
    assert sender.flush(10.0)


def test_what_was_in_flight_when_the_broker_died_is_sent_again(tmp_path: Path, connect: Connect, until: Until) -> None:
    with start_broker(tmp_path / "1", prefer="mosquitto") as first:
        sender = connect(first, max_age_s=60.0)
        sent_before = bytes_out(sender)
        os.kill(first.process.pid, signal.SIGSTOP)
        for _ in range(3):
            sender.publish("t", bytes(100), qos=1, weight=5)
        sender.publish("m", bytes(100), qos=1, retain=True, reliable=True)
        until(lambda: bytes_out(sender) >= sent_before + 400)
        first.process.kill()
    until(lambda: sender.state is ConnectionState.RECONNECTING)
    with start_broker(tmp_path / "2", prefer="mosquitto", port=first.port):
        sender.wait_connected(10.0)
        assert sender.flush(10.0)
        stats = sender.stats()
        assert (stats.messages_resent, stats.messages_published, stats.weight_published) == (3, 3, 15)
        assert (stats.reliable_published, stats.messages_dropped) == (1, 0)
        sender.stop()


def test_live_messages_that_waited_too_long_are_dropped_and_fresh_ones_are_not(
    mosquitto: RunningBroker, until: Until, inbox: Inbox, connect: Connect
) -> None:
    receiver = connect(mosquitto)
    receiver.subscribe("t", 1, inbox)
    receiver.flush(5.0)
    now = 100.0
    sender = Connection(BrokerConfig(mosquitto.url), max_age_s=2.0, clock=lambda: now)
    sender.publish("t", b"stale", qos=1, weight=5)
    sender.publish("m", b"reliable", qos=1, reliable=True)
    now = 101.0
    sender.publish("t", b"fresh", qos=1, weight=5)
    now = 102.5
    with sender:
        sender.wait_connected(10.0)
        assert sender.flush(5.0)
    until(lambda: inbox.payloads == [b"fresh"])
    stats = sender.stats()
    assert (stats.dropped_stale, stats.weight_dropped, stats.reliable_published) == (1, 5, 1)


def test_a_dead_peer_is_noticed_once_though_paho_reports_it_twice(
    mosquitto: RunningBroker, connect: Connect, until: Until
) -> None:
    connection = connect(mosquitto, config=BrokerConfig(mosquitto.url, keepalive_s=1))
    os.kill(mosquitto.process.pid, signal.SIGSTOP)
    until(lambda: connection.state is ConnectionState.RECONNECTING, "the keep-alive to run out")
    assert connection.stats().disconnects == 1
    os.kill(mosquitto.process.pid, signal.SIGCONT)
    until(lambda: connection.state is ConnectionState.CONNECTED)
    assert connection.protocol_version == 5, "silence of a broker that spoke MQTT 5 is no reason to leave it"


def test_two_connections_with_one_id_do_not_throw_each_other_out_for_ever(
    mosquitto: RunningBroker, connect: Connect, until: Until
) -> None:
    config = BrokerConfig(mosquitto.url, client_id="edge-twin")
    twins = [connect(mosquitto, config=config), connect(mosquitto, config=config)]
    # Mosquitto 2.0 does not say why it closes: it takes a few rounds to suspect the reason.
    until(lambda: any("another device seems to use our client id" in (twin.last_error or "") for twin in twins))


def test_a_take_over_that_the_broker_announces_is_said_and_not_fought(script: Script, until: Until) -> None:
    def play(index: int, sock: socket.socket) -> None:
        sock.sendall(CONNACK_5)
        if index == 0:
            sock.sendall(b"\xe0\x01\x8e")
        sock.recv(4096)

    broker = script(play)
    with Connection(BrokerConfig(broker.url)) as connection:
        until(lambda: connection.state is ConnectionState.RECONNECTING)
        assert "another connection uses our client id" in (connection.last_error or "")
        time.sleep(0.5)  # an ordinary first delay would be over
        assert len(broker.connects) == 1
        connection.stop(0.2)


def test_a_publish_that_the_access_list_forbids_is_counted(tmp_path: Path, connect: Connect, until: Until) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic write allowed/#\n", encoding="utf-8")
    with start_broker(tmp_path / "broker", prefer="mosquitto", settings={"acl_file": str(rules)}) as broker:
        connection = connect(broker)
        connection.publish("forbidden", b"x", qos=1, weight=5)
        connection.publish("forbidden", b"x", qos=1, reliable=True)
        connection.publish("allowed/t", b"x", qos=1)
        assert connection.flush(5.0)
        stats = connection.stats()
        assert (stats.dropped_refused, stats.weight_dropped, stats.reliable_failed) == (1, 5, 1)
        assert stats.messages_published == 1
        connection.stop()


def test_a_refused_subscription_is_counted(script: Script, until: Until) -> None:
    def play(index: int, sock: socket.socket) -> None:
        sock.sendall(CONNACK_5)
        subscribe = sock.recv(4096)
        sock.sendall(bytes([0x90, 4, subscribe[2], subscribe[3], 0, 0x87]))
        sock.recv(4096)

    broker = script(play)
    connection = Connection(BrokerConfig(broker.url))
    connection.subscribe("forbidden", 1, lambda message: None)
    with connection:
        connection.wait_connected(5.0)
        assert connection.flush(5.0)
        assert connection.stats().subscriptions_refused == 1
        connection.stop(0.2)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xff\xff\xff\xff\xff\xff",  # a length of five bytes
        b"\x00\x00",  # no such packet
        b"\x30\x02\x00\x09",  # PUBLISH whose topic is longer than the packet
        b"\x40\x01\x00",  # PUBACK that is too short
        b"\x90\x00",  # SUBACK without anything
        b"\xe0\x01\x01",  # DISCONNECT with an unknown reason
        b"\x20\x03\x00\xfb\x00",  # a second CONNACK with an unknown reason
    ],
)
def test_nonsense_from_the_broker_ends_that_session_only(nonsense: bytes, script: Script, until: Until) -> None:
    def play(index: int, sock: socket.socket) -> None:
        sock.sendall(CONNACK_5)
        if index == 0:
            sock.sendall(nonsense)
        sock.recv(4096)

    broker = script(play)
    with Connection(BrokerConfig(broker.url)) as connection:
        until(lambda: connection.stats().connects >= 2, "a second session")
        connection.wait_connected(5.0)
        assert connection.stats().disconnects == 1
        connection.stop(0.2)


def test_a_topic_that_is_not_text_is_counted_and_nothing_else(script: Script, until: Until, inbox: Inbox) -> None:
    def play(index: int, sock: socket.socket) -> None:
        sock.sendall(CONNACK_5 + b"\x30\x06\x00\x02\xff\xfe\x00x" + b"\x30\x05\x00\x01t\x00y")
        sock.recv(4096)

    broker = script(play)
    connection = Connection(BrokerConfig(broker.url))
    connection.subscribe("t", 0, inbox)
    with connection:
        until(lambda: inbox.payloads == [b"y"])
        assert connection.stats().messages_unmatched == 1
        connection.stop(0.2)


def test_a_broker_that_hangs_up_on_mqtt_5_is_spoken_to_in_3_1_1(script: Script) -> None:
    def play(index: int, sock: socket.socket) -> None:
        if broker.connects[index][8] == 5:
            sock.shutdown(socket.SHUT_RDWR)
            return
        sock.sendall(CONNACK_311)
        sock.recv(4096)

    broker = script(play)
    with Connection(BrokerConfig(broker.url)) as connection:
        connection.wait_connected(5.0)
        assert connection.protocol_version == 4
        connection.stop(0.2)


def test_no_topic_alias_maximum_is_sent_and_the_receive_maximum_is(script: Script) -> None:
    broker = script(lambda index, sock: sock.sendall(CONNACK_5))
    with Connection(BrokerConfig(broker.url, receive_maximum=3, keepalive_s=7, client_id="edge-1")) as connection:
        connection.wait_connected(5.0)
        connection.stop(0.2)
    properties = b"\x27" + (128 * 1024).to_bytes(4, "big") + b"\x21\x00\x03"  # paho's order is by its own table
    packet = broker.connects[0]
    assert packet[2:12] == b"\x00\x04MQTT\x05\x02\x00\x07"
    assert packet[12] == len(properties)
    assert sorted(packet[13 : 13 + packet[12]]) == sorted(properties)
    assert packet.endswith(b"\x00\x06edge-1")


def test_an_oversize_payload_is_counted_and_not_handed_out(script: Script, until: Until, inbox: Inbox) -> None:
    size = 200_000
    length = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14])

    def play(index: int, sock: socket.socket) -> None:
        sock.sendall(CONNACK_5 + b"\x30" + length + b"\x00\x01t\x00" + bytes(size - 4) + b"\x30\x05\x00\x01t\x00y")
        sock.recv(4096)

    broker = script(play)
    connection = Connection(BrokerConfig(broker.url))
    connection.subscribe("t", 0, inbox)
    with connection:
        until(lambda: inbox.payloads == [b"y"])
        assert connection.stats().messages_oversize == 1
        connection.stop(0.2)
