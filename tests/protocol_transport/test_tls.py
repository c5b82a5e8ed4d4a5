"""TLS against a real broker, with an authority made for the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.demo.broker import RunningBroker, TlsFiles, find_mosquitto, start_broker
from protocol.service import ConfigError
from protocol.transport import BrokerConfig, BrokerUnavailableError, Connection, Message

if TYPE_CHECKING:
    from tests.protocol_transport.conftest import Authority, Connect, Until

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
]


@pytest.fixture
def tls_broker(tmp_path: Path, authority: Authority) -> Iterator[RunningBroker]:
    files = TlsFiles(authority.certificate, authority.key)
    with start_broker(tmp_path / "broker", prefer="mosquitto", tls=files) as broker:
        yield broker


def refusal(config: BrokerConfig) -> str:
    """What the user reads when `config` does not lead to a connection."""
    with Connection(config) as connection:
        with pytest.raises(BrokerUnavailableError) as caught:
            connection.wait_connected(1.0)
        connection.stop(0.2)
    return str(caught.value)


def test_messages_travel_over_tls(
    tls_broker: RunningBroker, authority: Authority, connect: Connect, until: Until
) -> None:
    config = BrokerConfig(tls_broker.url, ca_file=authority.ca)
    receiver, sender = connect(tls_broker, config=config), connect(tls_broker, config=config, outbox_capacity=500)
    received: list[Message] = []
    receiver.subscribe("t", 1, received.append)
    receiver.flush(5.0)
    for index in range(200):  # many in one TLS record: bytes already decrypted wake no poll
        sender.publish("t", index.to_bytes(2, "big"), qos=0)
    assert sender.flush(5.0)
    until(lambda: len(received) == 200)
    assert [int.from_bytes(message.payload, "big") for message in received] == list(range(200))
    wire = receiver.wire()
    assert wire is not None
    assert wire.bytes_in > 200 * 8


def test_amqtt_speaks_tls_too(tmp_path: Path, authority: Authority, connect: Connect) -> None:
    files = TlsFiles(authority.certificate, authority.key)
    with start_broker(tmp_path / "broker", prefer="amqtt", tls=files) as broker:
        connection = connect(broker, config=BrokerConfig(broker.url, ca_file=authority.ca))
        connection.publish("t", b"x", qos=1)
        assert connection.flush(5.0)
        connection.stop()


def test_an_unknown_authority_is_refused(tls_broker: RunningBroker, authority: Authority) -> None:
    text = refusal(BrokerConfig(tls_broker.url, ca_file=authority.other_ca))
    assert "certificate does not verify against ca_file" in text
    assert str(authority.other_ca) in text


def test_the_system_authorities_do_not_know_our_certificate(tls_broker: RunningBroker) -> None:
    assert "the system's authorities" in refusal(BrokerConfig(tls_broker.url))


def test_a_certificate_for_another_host_is_refused(tls_broker: RunningBroker, authority: Authority) -> None:
    url = tls_broker.url.replace("127.0.0.1", "localhost")
    assert "localhost" in refusal(BrokerConfig(url, ca_file=authority.ca))


def test_insecure_asks_no_questions(tls_broker: RunningBroker, connect: Connect) -> None:
    connect(tls_broker, config=BrokerConfig(tls_broker.url, insecure=True))


def test_tls_to_a_port_without_it_is_said(mosquitto: RunningBroker) -> None:
    text = refusal(BrokerConfig(mosquitto.url.replace("mqtt:", "mqtts:"), connect_timeout_s=0.5))
    assert "TLS" in text or "no answer" in text or "reset" in text


def test_a_client_certificate_is_the_ticket(tmp_path: Path, authority: Authority, connect: Connect) -> None:
    files = TlsFiles(authority.certificate, authority.key, client_ca=authority.ca)
    with start_broker(tmp_path / "broker", prefer="mosquitto", tls=files) as broker:
        config = BrokerConfig(
            broker.url, ca_file=authority.ca, cert_file=authority.client_certificate, key_file=authority.client_key
        )
        connect(broker, config=config).stop()
        assert refusal(BrokerConfig(broker.url, ca_file=authority.ca))


def test_unusable_files_are_an_error_of_the_configuration(tmp_path: Path, authority: Authority) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("not a certificate\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no usable PEM certificate"):
        Connection(BrokerConfig("mqtts://localhost", ca_file=nonsense))
    with pytest.raises(ConfigError, match="no usable pair"):
        Connection(BrokerConfig("mqtts://localhost", cert_file=authority.client_certificate, key_file=authority.key))
