"""Certificates that site.sh would never make, and a knock at the door that tells exactly how it was answered."""

from __future__ import annotations

import datetime
import socket
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.deploy.site import DEADLINE_S, HOST, Site

CONNECT = bytes.fromhex("10 13 0004 4d515454 04 02 001e 0007") + b"visitor"
"""MQTT 3.1.1, clean session, keep-alive 30 s, no user name."""
CONNACK_ACCEPTED = bytes.fromhex("20 02 00 00")
DAY = datetime.timedelta(days=1)

_Issuer = tuple[ec.EllipticCurvePrivateKey, x509.Certificate]


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
    issuer = _read_issuer(authority) if authority is not None else _issue("stranger's authority", None, (-9, 9))
    key, certificate = _issue(name, issuer, valid)
    folder = folder / name
    folder.mkdir(parents=True)
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "ca.crt").write_bytes(issuer[1].public_bytes(serialization.Encoding.PEM))
    return folder


def _read_issuer(authority: Path) -> _Issuer:
    key = serialization.load_pem_private_key((authority / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key, x509.load_pem_x509_certificate((authority / "ca.crt").read_bytes())


def _issue(name: str, issuer: _Issuer | None, valid: tuple[int, int]) -> _Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signing_key = key if issuer is None else issuer[0]
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer[1].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid[0] * DAY)
        .not_valid_after(now + valid[1] * DAY)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(usage, critical=False)
    return key, builder.sign(signing_key, hashes.SHA256())
