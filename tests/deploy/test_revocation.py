"""Members come, are renewed and are thrown out while the broker runs."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.site import DEADLINE_S, DEVICES, HOST, PASSWORD, PASSWORDS, Site, make_site
from tests.deploy.strangers import CONNACK_ACCEPTED, CONNECT
from tests.deploy.visitor import NOT_AUTHORISED, Login, RefusedError, Visitor

pytestmark = pytest.mark.broker

OWN = "vw/v1/edge/edge-1/status"


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """A site that a test may change."""
    with make_site(tmp_path / "own", "gateway gw-lobby lobby", "player edge-1", "player edge-2") as site:
        site.start()
        yield site


def kept(site: Site, name: str, folder: Path) -> Login:
    """The login of a device that still has what it was given before the site changed."""
    shutil.copytree(site.device(name), folder / name)
    return Login(folder / name)


def apply(site: Site) -> None:
    site.install()
    site.reload()


def test_a_revoked_certificate_is_refused_after_a_reload(own_site: Site, tmp_path: Path) -> None:
    login = kept(own_site, "edge-1", tmp_path)
    with Visitor(own_site, login):
        pass
    own_site.make("revoke", "edge-1")
    apply(own_site)
    with pytest.raises(RefusedError), Visitor(own_site, login):
        pass
    own_site.wait_for_log("certificate verify failed")
    with Visitor(own_site, Login(own_site.device("edge-2"))):  # nobody else is locked out
        pass


def test_a_revoked_client_that_is_connected_loses_its_rights_at_once(own_site: Site, tmp_path: Path) -> None:
    login = kept(own_site, "edge-1", tmp_path)
    with Visitor(own_site, login) as revoked, Visitor(own_site, Login(own_site.device("gw-lobby"))) as gateway:
        revoked.subscribe("#")
        assert revoked.publish(OWN, b"before") < NOT_AUTHORISED
        revoked.wait_for(OWN, b"before")
        own_site.make("revoke", "edge-1")
        apply(own_site)
        assert revoked.publish(OWN, b"after") == NOT_AUTHORISED
        gateway.publish("vw/v1/s/lobby/t0")
        assert revoked.publish(OWN, b"later") == NOT_AUTHORISED  # answered after what the gateway sent
        assert [got.payload for got in revoked.got] == [b"before"]


def test_what_a_revoked_gateway_left_behind_is_gone_after_a_restart(own_site: Site) -> None:
    """A reload is not enough for that: `check_retain_source` of 2.0.11 lets it pass. `revoke` asks for a restart."""
    with Visitor(own_site, Login(own_site.device("gw-lobby"))) as gateway:
        gateway.publish("vw/v1/s/lobby/manifest", b"poison", retain=True)
    assert "restart" in own_site.make("revoke", "gw-lobby")
    own_site.install()
    own_site.stop()
    own_site.start()
    with Visitor(own_site, Login(own_site.device("edge-1"))) as newcomer:
        newcomer.subscribe("vw/v1/s/lobby/+")
        newcomer.subscribe(OWN)
        newcomer.publish(OWN)
        newcomer.wait_for(OWN)
        assert newcomer.topics() == {OWN}


def test_a_tls_session_from_before_does_not_let_a_revoked_client_in(own_site: Site, tmp_path: Path) -> None:
    """A resumed session skips the certificate, and with it the list of revoked ones."""
    context = kept(own_site, "edge-1", tmp_path).context(own_site)
    _, session = _resume(own_site, context, None)
    own_site.make("revoke", "edge-1")
    apply(own_site)
    with pytest.raises(OSError, match=r"(?i)revoked|alert|eof|reset"):
        _resume(own_site, context, session)


def _resume(site: Site, context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[bytes, ssl.SSLSession | None]:
    with (
        socket.create_connection((HOST, site.ports[DEVICES]), DEADLINE_S) as plain,
        context.wrap_socket(plain, server_hostname=HOST, session=session) as sock,
    ):
        sock.sendall(CONNECT)
        answer = sock.recv(64)
        if answer != CONNACK_ACCEPTED:
            raise OSError(f"EOF or worse: {answer!r}")
        return answer, sock.session


def test_a_new_member_is_let_in_after_a_reload(own_site: Site) -> None:
    own_site.make("add", "player", "edge-3")
    own_site.make("add", "gateway", "gw-word", "word", "--password", stdin=f"{PASSWORD}\n")
    apply(own_site)
    with Visitor(own_site, Login(own_site.device("edge-3"))) as player:
        assert player.publish("vw/v1/edge/edge-3/status") < NOT_AUTHORISED
    with Visitor(own_site, Login(username="gw-word", password=PASSWORD, listener=PASSWORDS)) as gateway:
        assert gateway.publish("vw/v1/s/word/t0") < NOT_AUTHORISED


def test_a_renewed_client_comes_in_with_the_new_certificate_only(own_site: Site, tmp_path: Path) -> None:
    old = kept(own_site, "edge-1", tmp_path)
    own_site.make("renew", "edge-1")
    with Visitor(own_site, old):  # until it is installed the old one is as good as ever
        pass
    apply(own_site)
    with Visitor(own_site, Login(own_site.device("edge-1"))) as renewed:
        assert renewed.publish(OWN) < NOT_AUTHORISED
    with pytest.raises(RefusedError), Visitor(own_site, old):
        pass


def test_the_brokers_own_certificate_is_renewed_by_a_reload(own_site: Site) -> None:
    before = _shown(own_site)
    own_site.make("renew", "--broker")
    apply(own_site)
    assert _shown(own_site) != before
    with Visitor(own_site, Login(own_site.device("edge-1"))):
        pass


def _shown(site: Site) -> bytes | None:
    with (
        socket.create_connection((HOST, site.ports[DEVICES]), DEADLINE_S) as plain,
        Login(site.device("edge-1")).context(site).wrap_socket(plain, server_hostname=HOST) as sock,
    ):
        return sock.getpeercert(binary_form=True)


def test_a_password_that_was_changed_or_revoked_is_refused(own_site: Site) -> None:
    own_site.make("add", "player", "edge-3", "--password", stdin=f"{PASSWORD}\n")
    own_site.make("renew", "edge-3", stdin=f"another {PASSWORD}\n")
    apply(own_site)
    old, new = (
        Login(username="edge-3", password=word, listener=PASSWORDS) for word in (PASSWORD, f"another {PASSWORD}")
    )
    with Visitor(own_site, new):
        pass
    with pytest.raises(RefusedError), Visitor(own_site, old):
        pass
    own_site.make("revoke", "edge-3")
    apply(own_site)
    with pytest.raises(RefusedError), Visitor(own_site, new):
        pass
