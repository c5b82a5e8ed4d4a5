"""TLS against a real broker, with an authority made for the test."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.demo.broker import RunningBroker, TlsFiles, find_mosquitto, start_broker
from protocol.service import ConfigError, ExitCode
from protocol.transport import (
    BrokerConfig,
    BrokerUnavailableError,
    Connection,
    Message,
    TlsRefusedError,
    TransportError,
    await_connected,
)

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


def refusal(config: BrokerConfig, kind: type[TransportError] = TlsRefusedError) -> str:
    """What the user reads when `config` does not lead to a connection."""
    with Connection(config) as connection:
        with pytest.raises(kind) as caught:
            connection.wait_connected(10.0 if kind is TlsRefusedError else 1.0)
        assert type(caught.value) is kind
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


def test_an_unknown_authority_is_refused_with_its_own_exit_code(
    tls_broker: RunningBroker, authority: Authority
) -> None:
    text = refusal(BrokerConfig(tls_broker.url, ca_file=authority.other_ca))
    assert f"was not issued by an authority in ca_file {authority.other_ca}" in text
    assert TlsRefusedError.exit_code == ExitCode.NOT_AUTHORISED


def test_the_system_authorities_do_not_know_our_certificate(tls_broker: RunningBroker) -> None:
    assert "not from an authority known to this system" in refusal(BrokerConfig(tls_broker.url))


def test_a_certificate_for_another_host_is_refused(tls_broker: RunningBroker, authority: Authority) -> None:
    url = tls_broker.url.replace("127.0.0.1", "localhost")
    assert "is not for 'localhost'" in refusal(BrokerConfig(url, ca_file=authority.ca))


@pytest.mark.parametrize(("which", "words"), [("expired", "has expired"), ("early", "is not valid yet")])
def test_a_certificate_out_of_its_time_is_said_with_our_clock(
    which: str, words: str, tmp_path: Path, authority: Authority
) -> None:
    with start_broker(tmp_path, prefer="mosquitto", tls=getattr(authority, which)) as broker:
        text = refusal(BrokerConfig(broker.url, ca_file=authority.ca))
    assert f"the broker's certificate {words}" in text
    assert "this machine's clock" in text


def test_a_certificate_that_does_not_verify_is_not_tried_again_and_again(
    tls_broker: RunningBroker, authority: Authority
) -> None:
    with Connection(BrokerConfig(tls_broker.url, ca_file=authority.other_ca)) as connection:
        with pytest.raises(TlsRefusedError):
            connection.wait_connected(10.0)
        time.sleep(1.0)  # four jittered delays' worth: none of them must be taken
        assert connection.stats().connect_failures == 1
        started = time.monotonic()
    assert time.monotonic() - started < 1.0, "the long wait must not hold up stopping"


def test_who_waits_for_ever_waits_for_a_certificate_to_become_right(
    tls_broker: RunningBroker, authority: Authority
) -> None:
    stop = threading.Event()
    with Connection(BrokerConfig(tls_broker.url, ca_file=authority.other_ca)) as connection:
        with pytest.raises(TlsRefusedError):
            await_connected(connection, stop=stop, timeout_s=10.0)
        threading.Timer(0.2, stop.set).start()
        await_connected(connection, stop=stop, timeout_s=None)
        assert stop.is_set()


def test_insecure_asks_no_questions(tls_broker: RunningBroker, connect: Connect) -> None:
    connect(tls_broker, config=BrokerConfig(tls_broker.url, insecure=True))


def test_tls_to_a_port_without_it_is_said(mosquitto: RunningBroker) -> None:
    config = BrokerConfig(mosquitto.url.replace("mqtt:", "mqtts:"), connect_timeout_s=0.5)
    text = refusal(config, BrokerUnavailableError)
    assert "TLS" in text or "no answer" in text or "reset" in text


def client(broker: RunningBroker, authority: Authority, files: TlsFiles) -> BrokerConfig:
    return BrokerConfig(broker.url, ca_file=authority.ca, cert_file=files.certificate, key_file=files.key)


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
def test_a_client_certificate_is_the_ticket(
    version: str, tmp_path: Path, authority: Authority, connect: Connect
) -> None:
    files = TlsFiles(authority.certificate, authority.key, client_ca=authority.ca)
    # Mosquitto's tls_version is the oldest that it takes; without a newer one it is the only one.
    settings = {"tls_version": version}
    with start_broker(tmp_path / "broker", prefer="mosquitto", tls=files, settings=settings) as broker:
        ours = TlsFiles(authority.client_certificate, authority.client_key)
        connect(broker, config=client(broker, authority, ours)).stop()
        assert "asks for a client certificate" in refusal(BrokerConfig(broker.url, ca_file=authority.ca))
        expired = refusal(client(broker, authority, authority.expired_client))
        assert f"refused our certificate {authority.expired_client.certificate}: it has expired" in expired
        foreign = refusal(client(broker, authority, authority.other_client))
        assert "its authority is not known there" in foreign


def test_the_oldest_version_of_tls_can_be_raised(tmp_path: Path, authority: Authority, connect: Connect) -> None:
    files = TlsFiles(authority.certificate, authority.key)
    with start_broker(tmp_path / "new", prefer="mosquitto", tls=files, settings={"tls_version": "tlsv1.3"}) as broker:
        connect(broker, config=BrokerConfig(broker.url, ca_file=authority.ca, tls_min="1.3")).stop()
    with old_tls_server(files) as url:
        assert "does not speak TLS 1.3 or newer" in refusal(BrokerConfig(url, ca_file=authority.ca, tls_min="1.3"))


@contextmanager
def old_tls_server(files: TlsFiles) -> Iterator[str]:
    """A server that shakes hands in TLS 1.2 only; Mosquitto always offers what is newer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer, contextlib.suppress(OSError):
                context.wrap_socket(peer, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"mqtts://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5.0)


def test_unusable_files_are_an_error_of_the_configuration(tmp_path: Path, authority: Authority) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("not a certificate\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no usable PEM certificate"):
        Connection(BrokerConfig("mqtts://localhost", ca_file=nonsense))
    with pytest.raises(ConfigError, match="no usable pair"):
        Connection(BrokerConfig("mqtts://localhost", cert_file=authority.client_certificate, key_file=authority.key))
