"""The connection against real brokers in their good days."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.demo.broker import RunningBroker, start_broker
from protocol.service import ServiceError
from protocol.transport import BrokerConfig, BrokerUnavailableError, Connection, ConnectionState, Message, Will

if TYPE_CHECKING:
    from tests.protocol_transport.conftest import Connect, Inbox, Until

pytestmark = pytest.mark.broker


def _has(inbox: Inbox, count: int) -> bool:
    return len(inbox.messages) == count


def test_messages_arrive_once_and_in_order(broker: RunningBroker, connect: Connect, until: Until, inbox: Inbox) -> None:
    receiver, sender = connect(broker), connect(broker)
    receiver.subscribe("vw/v1/s/lobby/t0", 1, inbox)
    assert receiver.flush(5.0)
    for index in range(30):
        sender.publish("vw/v1/s/lobby/t0", bytes([index]), qos=1, weight=5)
    assert sender.flush(5.0)
    until(lambda: len(inbox.messages) == 30, "arrival of 30 messages")
    assert inbox.payloads == [bytes([index]) for index in range(30)]
    assert (sender.stats().messages_published, sender.stats().weight_published) == (30, 150)
    assert sender.protocol_version == receiver.protocol_version == (5 if broker.name == "mosquitto" else 4)


def test_a_will_does_not_keep_amqtt_from_answering(amqtt: RunningBroker, connect: Connect) -> None:
    started = time.monotonic()
    connection = connect(amqtt, will=Will("vw/v1/edge/a/status", b"gone"))
    assert connection.protocol_version == 4
    assert time.monotonic() - started < 2.0, "the version fall-back must not wait for a time-out"


def test_retained_messages_say_that_they_are(
    broker: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    sender = connect(broker)
    sender.publish("m", b"manifest", qos=1, retain=True, reliable=True)
    assert sender.flush(5.0)
    receiver = connect(broker)
    receiver.subscribe("m", 1, inbox)
    until(lambda: inbox.messages)
    sender.publish("m", b"again", qos=1, retain=True, reliable=True)
    until(lambda: len(inbox.messages) == 2)
    assert [(message.payload, message.retained) for message in inbox.messages] == [
        (b"manifest", True),
        (b"again", False),
    ]
    assert sender.stats().reliable_published == 2
    assert sender.stats().messages_published == 0, "reliable messages are counted apart"


def test_received_at_is_the_clock_of_the_connection(
    mosquitto: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    receiver = connect(mosquitto, clock=lambda: 1234.5)
    receiver.subscribe("t", 0, inbox)
    receiver.flush(5.0)
    connect(mosquitto).publish("t", b"x")
    until(lambda: inbox.messages)
    assert inbox.messages == [Message("t", b"x", False, 1234.5)]


def test_message_expiry_lets_the_broker_forget(
    mosquitto: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    sender = connect(mosquitto)
    sender.publish("m/short", b"x", qos=1, retain=True, reliable=True, expiry_s=1)
    sender.publish("m/long", b"y", qos=1, retain=True, reliable=True, expiry_s=600)
    assert sender.flush(5.0)

    def gone() -> bool:
        seen: list[Message] = []
        receiver = connect(mosquitto)
        receiver.subscribe("m/+", 1, seen.append)
        receiver.flush(5.0)
        until(lambda: any(message.topic == "m/long" for message in seen))
        receiver.stop()
        return all(message.topic != "m/short" for message in seen)

    until(gone, "expiry of the short-lived message")


def test_unsubscribe_ends_delivery(mosquitto: RunningBroker, connect: Connect, until: Until, inbox: Inbox) -> None:
    receiver, sender = connect(mosquitto), connect(mosquitto)
    last: list[Message] = []
    receiver.subscribe("a", 0, inbox)
    receiver.subscribe("b", 0, last.append)
    receiver.flush(5.0)
    receiver.unsubscribe("a")
    receiver.flush(5.0)
    sender.publish("a", b"1")
    sender.publish("b", b"2")
    until(lambda: last)
    assert inbox.messages == []


def test_a_handler_that_raises_does_not_end_the_network_thread(
    mosquitto: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    receiver, sender = connect(mosquitto), connect(mosquitto)

    def broken(message: Message) -> None:
        raise RuntimeError("broken handler")

    receiver.subscribe("bad", 1, broken)
    receiver.subscribe("good", 1, inbox)
    receiver.flush(5.0)
    for _ in range(3):
        sender.publish("bad", b"x", qos=1)
    sender.publish("good", b"x", qos=1)
    until(lambda: inbox.messages)
    assert receiver.stats().handler_errors == 3
    assert receiver.stats().messages_received == 4
    assert receiver.state is ConnectionState.CONNECTED


def test_a_callback_that_raises_is_counted(mosquitto: RunningBroker, connect: Connect, until: Until) -> None:
    connection = connect(mosquitto)
    called = threading.Event()

    def broken() -> None:
        called.set()
        raise RuntimeError("broken callback")

    connection.on_connected(broken)
    assert called.wait(5.0), "a callback registered while connected is called soon"
    until(lambda: connection.stats().callback_errors == 1)
    assert connection.state is ConnectionState.CONNECTED


def test_a_handler_may_publish_and_subscribe(
    mosquitto: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    connection = connect(mosquitto)

    def answer(message: Message) -> None:
        connection.subscribe("more", 1, inbox)
        connection.publish("answer", message.payload, qos=1)

    connection.subscribe("question", 1, answer)
    connection.subscribe("answer", 1, inbox)
    connection.publish("question", b"?", qos=1)
    until(lambda: inbox.payloads == [b"?"])


def test_many_threads_publish_without_loss_or_deadlock(
    mosquitto: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    receiver, sender = connect(mosquitto), connect(mosquitto, outbox_capacity=2000, window=8)
    receiver.subscribe("t", 1, inbox)
    receiver.flush(5.0)

    def work(thread: int) -> None:
        for index in range(100):
            sender.publish("t", bytes([thread, index]), qos=1)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10.0)
    assert sender.flush(10.0)
    until(lambda: len(inbox.messages) == 800, "arrival of 800 messages")
    for number in range(8):
        assert [p[1] for p in inbox.payloads if p[0] == number] == list(range(100))


def test_leaving_in_order_publishes_offline_and_not_the_will(
    mosquitto: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    watcher = connect(mosquitto)
    watcher.subscribe("status", 1, inbox)
    watcher.flush(5.0)
    leaving = connect(mosquitto, will=Will("status", b"vanished"), offline=Will("status", b"left"))
    leaving.publish("status", b"last token", qos=1)
    leaving.stop()
    until(lambda: len(inbox.messages) == 2)
    watcher.publish("status", b"sentinel", qos=1)
    until(lambda: b"sentinel" in inbox.payloads)
    assert inbox.payloads == [b"last token", b"left", b"sentinel"], "in this order, and no will"
    assert leaving.state is ConnectionState.CLOSED
    assert leaving.stats().disconnects == 0


def test_leaving_while_messages_pour_in_does_not_set_off_the_will(
    mosquitto: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    watcher, source = connect(mosquitto), connect(mosquitto, outbox_capacity=5000)
    watcher.subscribe("status", 1, inbox)
    watcher.flush(5.0)
    leaving = connect(mosquitto, will=Will("status", b"vanished"), offline=Will("status", b"left"))
    leaving.subscribe("t", 0, lambda message: time.sleep(0.001))
    leaving.flush(5.0)
    for _ in range(2000):
        source.publish("t", bytes(500))
    until(lambda: leaving.stats().messages_received > 5)
    leaving.stop(1.0)
    until(lambda: inbox.messages)
    source.publish("status", b"sentinel", qos=1, reliable=True)
    until(lambda: b"sentinel" in inbox.payloads)
    assert b"vanished" not in inbox.payloads


def test_the_default_offline_message_is_the_will(
    mosquitto: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    watcher = connect(mosquitto)
    watcher.subscribe("status", 1, inbox)
    watcher.flush(5.0)
    with Connection(BrokerConfig(mosquitto.url), will=Will("status", b"offline")) as connection:
        connection.wait_connected(5.0)
    until(lambda: inbox.payloads == [b"offline"])
    assert connection.state is ConnectionState.CLOSED


def test_stop_is_harmless_when_repeated_and_a_connection_is_not_reusable(
    mosquitto: RunningBroker, connect: Connect
) -> None:
    connection = connect(mosquitto)
    connection.stop()
    connection.stop()
    with pytest.raises(RuntimeError, match="make a new one"):
        connection.start()
    with pytest.raises(BrokerUnavailableError, match="closed"):
        connection.wait_connected(1.0)


def test_what_is_published_after_stop_is_counted_as_dropped(mosquitto: RunningBroker, connect: Connect) -> None:
    connection = connect(mosquitto)
    connection.stop()
    connection.publish("t", b"x", weight=5)
    connection.publish("m", b"x", qos=1, reliable=True)
    stats = connection.stats()
    assert (stats.messages_dropped, stats.weight_dropped, stats.dropped_unsent) == (1, 5, 1)
    assert (stats.reliable_failed, stats.messages_waiting) == (1, 0)


def test_stop_before_start_closes(mosquitto: RunningBroker) -> None:
    connection = Connection(BrokerConfig(mosquitto.url))
    connection.stop()
    assert connection.state is ConnectionState.CLOSED


@pytest.mark.parametrize("topic", ["", "a/+", "a/#", "a\0b"])
def test_a_bad_topic_is_refused_before_it_reaches_the_network(topic: str) -> None:
    connection = Connection(BrokerConfig())
    with pytest.raises(ValueError, match="topic"):
        connection.publish(topic, b"x")
    assert connection.stats().messages_accepted == 0


@pytest.mark.parametrize("topic", ["", "a+", "a/#/b", "#a", "a\0b"])
def test_a_bad_filter_is_refused_before_it_reaches_the_network(topic: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        Connection(BrokerConfig()).subscribe(topic, 0, lambda message: None)


def test_quality_of_service_2_is_refused() -> None:
    connection = Connection(BrokerConfig())
    with pytest.raises(ValueError, match="QoS"):
        connection.publish("t", b"x", qos=2)
    with pytest.raises(ValueError, match="QoS"):
        connection.subscribe("t", 2, lambda message: None)


def test_a_message_too_large_for_the_broker_is_refused_and_the_connection_stays(
    tmp_path: Path, connect: Connect, until: Until
) -> None:
    with start_broker(tmp_path, prefer="mosquitto", settings={"max_packet_size": "4096"}) as broker:
        connection = connect(broker)
        connection.publish("t", bytes(5000), qos=1, weight=5)
        connection.publish("m", bytes(5000), qos=1, reliable=True)
        connection.publish("t", b"small", qos=1)
        assert connection.flush(5.0)
        stats = connection.stats()
        assert (stats.dropped_refused, stats.weight_dropped, stats.reliable_failed) == (1, 5, 1)
        assert (stats.messages_published, stats.disconnects) == (1, 0)


def test_wire_counters_tell_what_the_kernel_sent(
    mosquitto: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    receiver, sender = connect(mosquitto), connect(mosquitto)
    receiver.subscribe("vw/v1/s/lobby/t0", 1, inbox)
    receiver.flush(5.0)
    before = receiver.wire()
    for count in range(1, 6):
        sender.publish("vw/v1/s/lobby/t0", bytes(120), qos=1)
        until(partial(_has, inbox, count))
    assert sender.flush(5.0)
    after = receiver.wire()
    assert before is not None
    assert after is not None
    spent = after - before
    # PUBLISH: 3 header + 2 + 16 topic + 2 packet id + 1 properties + 120; PUBACK: 4 bytes.
    assert spent.bytes_in == 5 * 144
    assert 4 * 4 <= spent.bytes_out <= 5 * 4
    assert spent.segments_in >= 5
    assert spent.ip_bytes_in == spent.bytes_in + 52 * spent.segments_in
    sender.stop()
    closed = sender.wire()
    assert closed is not None
    assert closed.bytes_out > 5 * 144, "the counters outlive the socket"


def test_errors_of_the_transport_are_service_errors() -> None:
    assert issubclass(BrokerUnavailableError, ServiceError)
    assert replace(BrokerConfig(), keepalive_s=5).keepalive_s == 5


def test_an_id_is_made_up_only_when_none_is_given() -> None:
    assert Connection(BrokerConfig(client_id="edge-1")).client_id == "edge-1"
    assert Connection(BrokerConfig()).client_id != Connection(BrokerConfig()).client_id


def test_what_was_subscribed_before_connecting_is_there_after_flush(
    mosquitto: RunningBroker, connect: Connect, until: Until, inbox: Inbox
) -> None:
    sender = connect(mosquitto)
    receiver = Connection(BrokerConfig(mosquitto.url))
    receiver.subscribe("t", 0, inbox)
    calls: list[int] = []
    receiver.on_connected(lambda: calls.append(1))
    assert not receiver.flush(0.0), "nothing has arrived anywhere yet"
    with receiver:
        assert receiver.flush(5.0)
        sender.publish("t", b"x")
        until(lambda: inbox.payloads == [b"x"])
        assert calls == [1], "announced once"
