"""Certificates that site.sh would never make, and a knock at the door that tells exactly how it was answered."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.certificates import Issued, issue, write_pem
from tests.deploy.site import DEADLINE_S, HOST, Site

CONNECT = bytes.fromhex("10 13 0004 4d515454 04 02 001e 0007") + b"visitor"
"""MQTT 3.1.1, clean session, keep-alive 30 s, no user name."""
CONNACK_ACCEPTED = bytes.fromhex("20 02 00 00")


def knock(site: Site, context: ssl.SSLContext, listener: int) -> bytes:
    """Shake hands, send CONNECT, and return what came back. Raises OSError where TLS or the broker refuses."""
    with (
        socket.create_connection((HOST, site.ports[listener]), DEADLINE_S) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as sock,
    ):
        sock.sendall(CONNECT)
        return sock.recv(64)


def stranger(folder: Path, name: str, authority: Path | None = None, *, valid: tuple[int, int] = (-1, 1)) -> Path:
    """A folder as `Login.certificate` takes it.

    authority: whose ca.key signs; None: an authority of the stranger's own. valid: from and to, in days from now.
    """
    issuer = _read_issuer(authority) if authority is not None else issue("stranger's authority", None, (-9, 9))
    key, certificate = issue(name, issuer, valid, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    folder = folder / name
    folder.mkdir(parents=True)
    write_pem(folder / f"{name}.crt", certificate)
    write_pem(folder / f"{name}.key", key)
    write_pem(folder / "ca.crt", issuer[1])
    return folder


def _read_issuer(authority: Path) -> Issued:
    key = serialization.load_pem_private_key((authority / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key, x509.load_pem_x509_certificate((authority / "ca.crt").read_bytes())
