"""Who comes in, and as whom."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.site import DEADLINE_S, DEVICES, HOST, PASSWORD, PASSWORDS, WEB, Site
from tests.deploy.strangers import CONNACK_ACCEPTED, CONNECT, knock, stranger
from tests.deploy.visitor import NOT_AUTHORISED, Login, RefusedError, Visitor

pytestmark = pytest.mark.broker

NO_CERTIFICATE = "peer did not return a certificate"
BAD_CERTIFICATE = "certificate verify failed"
VERSIONS = pytest.mark.parametrize("version", [5, 4], ids=["MQTT 5", "MQTT 3.1.1"])


def enter(site: Site, login: Login, version: int = 5) -> None:
    """Connect and leave; RefusedError where that fails."""
    with Visitor(site, login, version=version):
        pass


@contextmanager
def refused(site: Site, reason: str) -> Iterator[None]:
    """What is tried in the block must be refused, for what the broker's log calls `reason`.

    The log holds the tests before this one too: a line more is waited for, which also keeps it from the next test.
    """
    before = site.log().count(reason)
    with pytest.raises(RefusedError):
        yield
    site.wait_for_count(reason, before + 1)


@VERSIONS
def test_a_certificate_of_the_site_is_the_ticket(site: Site, version: int) -> None:
    enter(site, Login(site.device("edge-1")), version)


@VERSIONS
@pytest.mark.parametrize("listener", [PASSWORDS, WEB], ids=["tcp", "websocket"])
def test_a_password_is_the_ticket_where_none_is_asked_for_a_certificate(
    site: Site, listener: int, version: int
) -> None:
    enter(site, Login(username="edge-word", password=PASSWORD, listener=listener), version)


@VERSIONS
def test_nobody_comes_in_without_a_certificate(site: Site, version: int) -> None:
    with refused(site, NO_CERTIFICATE):
        enter(site, Login(), version)


def test_a_password_does_not_replace_the_certificate(site: Site) -> None:
    with refused(site, NO_CERTIFICATE):
        enter(site, Login(username="edge-word", password=PASSWORD))


def test_a_certificate_of_another_authority_is_refused(site: Site, tmp_path: Path) -> None:
    with refused(site, BAD_CERTIFICATE):
        enter(site, Login(stranger(tmp_path, "edge-1")))


def test_an_expired_certificate_is_refused(site: Site, tmp_path: Path) -> None:
    with refused(site, BAD_CERTIFICATE):
        enter(site, Login(stranger(tmp_path, "edge-1", site.authority, valid=(-9, -1))))


def test_a_certificate_that_is_not_valid_yet_is_refused(site: Site, tmp_path: Path) -> None:
    with refused(site, BAD_CERTIFICATE):
        enter(site, Login(stranger(tmp_path, "edge-1", site.authority, valid=(1, 9))))


def test_the_same_stranger_with_a_valid_certificate_of_ours_would_come_in(site: Site, tmp_path: Path) -> None:
    # Otherwise the three tests above might pass for a reason that has nothing to do with theirs.
    enter(site, Login(stranger(tmp_path, "edge-1", site.authority)))


def test_the_brokers_own_certificate_is_no_ticket(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    shutil.copytree(site.folder / "site" / "broker", folder)
    with refused(site, BAD_CERTIFICATE):
        enter(site, Login(folder))


def test_a_device_cannot_pose_as_the_broker(site: Site) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    device = site.device("edge-1")
    server.load_cert_chain(device / "edge-1.crt", device / "edge-1.key")
    client = ssl.create_default_context(cafile=str(site.ca()))
    client.check_hostname = False  # the purpose alone must be enough
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    dialler = client.wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        dialler.do_handshake()
    answering = server.wrap_bio(outgoing, incoming, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        answering.do_handshake()
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        dialler.do_handshake()


def test_the_broker_is_known_by_each_of_its_names_and_no_other(site: Site) -> None:
    context = Login(site.device("edge-1")).context(site)
    for name in (HOST, "localhost"):
        with socket.create_connection((HOST, site.ports[DEVICES]), DEADLINE_S) as plain:
            context.wrap_socket(plain, server_hostname=name).close()
    with (
        socket.create_connection((HOST, site.ports[DEVICES]), DEADLINE_S) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="broker"),
    ):
        context.wrap_socket(plain, server_hostname="broker.example")


@pytest.mark.parametrize("listener", [DEVICES, PASSWORDS])
def test_tls_below_1_3_is_refused(site: Site, listener: int) -> None:
    context = Login(site.device("edge-1")).context(site)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol[ _]version|unsupported"):
        knock(site, context, listener)


def test_tls_1_3_with_the_same_knock_is_answered(site: Site) -> None:
    assert knock(site, Login(site.device("edge-1")).context(site), DEVICES) == CONNACK_ACCEPTED


@pytest.mark.parametrize("listener", [DEVICES, PASSWORDS, WEB])
def test_no_listener_speaks_without_tls(site: Site, listener: int) -> None:
    with socket.create_connection((HOST, site.ports[listener]), DEADLINE_S) as plain:
        plain.sendall(CONNECT)
        try:
            answer = plain.recv(64)
        except ConnectionResetError:
            answer = b""
        assert answer[:1] != b"\x20"  # a TLS alert or the end, never CONNACK


@VERSIONS
@pytest.mark.parametrize(
    ("username", "password"),
    [
        (None, None),
        ("edge-word", "wrong horse battery"),
        ("edge-word", ""),
        ("edge-word", None),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("edge-1", PASSWORD),
        ("edge-1", None),
    ],
    ids=["anonymous", "wrong", "empty", "missing", "unknown", "nameless", "of another", "a certificate's name"],
)
@pytest.mark.parametrize("listener", [PASSWORDS, WEB], ids=["tcp", "websocket"])
def test_a_wrong_login_is_refused(
    site: Site, username: str | None, password: str | None, version: int, listener: int
) -> None:
    with pytest.raises(RefusedError, match=r"(?i)not authori[sz]ed|bad user ?name"):
        enter(site, Login(username=username, password=password, listener=listener), version)


def test_a_certificate_is_no_ticket_where_passwords_are_asked_for(site: Site) -> None:
    for listener in (PASSWORDS, WEB):
        with pytest.raises(RefusedError):
            enter(site, Login(site.device("edge-1"), listener=listener))


def test_a_user_name_beside_a_certificate_changes_nothing(site: Site) -> None:
    login = Login(site.device("edge-1"), username="gw-word", password=PASSWORD)
    with Visitor(site, login) as visitor:
        assert visitor.publish("vw/v1/s/word/t0") == NOT_AUTHORISED
        assert visitor.publish("vw/v1/edge/edge-1/status") < NOT_AUTHORISED


@pytest.mark.parametrize("claimed", ["gw-lobby", "vw-gateway-gw-lobby"])
@pytest.mark.parametrize("listener", [DEVICES, PASSWORDS, WEB], ids=["certificate", "password", "websocket"])
@VERSIONS
def test_nobody_takes_the_place_of_another_by_its_client_id(
    site: Site, claimed: str, listener: int, version: int
) -> None:
    login = Login(site.device("edge-1"))
    if listener != DEVICES:
        login = Login(username="edge-word", password=PASSWORD, listener=listener)
    name = "edge-1" if listener == DEVICES else "edge-word"
    with (
        Visitor(site, Login(site.device("gw-lobby")), client_id="vw-gateway-gw-lobby") as gateway,
        Visitor(site, login, client_id=claimed, version=version) as thief,
    ):
        assert gateway.publish("vw/v1/s/lobby/t0") < NOT_AUTHORISED
        assert thief.publish(f"vw/v1/edge/{name}/metrics") < NOT_AUTHORISED


def test_the_same_certificate_twice_is_one_place(site: Site) -> None:
    with Visitor(site, Login(site.device("edge-1"))) as first, Visitor(site, Login(site.device("edge-1"))) as second:
        first.wait_until_gone()  # over TLS Mosquitto 2.0.11 does not say why
        assert second.publish("vw/v1/edge/edge-1/metrics") < NOT_AUTHORISED
