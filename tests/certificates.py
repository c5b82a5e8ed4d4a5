"""Certificates for tests, made on the spot: of an authority, or signed by one."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.demo.broker import TlsFiles

Issued = tuple[ec.EllipticCurvePrivateKey, x509.Certificate]


def issue(
    name: str, issuer: Issued | None, days: tuple[int, int] = (-1, 1), *, usage: x509.ObjectIdentifier | None = None
) -> Issued:
    """A key and a certificate for `name`; signed by itself, and an authority, without an issuer. Valid from and to.

    usage: the one thing it is good for; None: for everything.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    signing_key = key if issuer is None else issuer[0]
    key_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer[1].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(key_identifier, critical=False)
    )
    if name[0].isdigit():
        address = x509.IPAddress(ipaddress.ip_address(name))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return key, builder.sign(signing_key, hashes.SHA256())


def write_pem(path: Path, thing: x509.Certificate | ec.EllipticCurvePrivateKey) -> Path:
    """Write it, without a passphrase; returns the path."""
    if isinstance(thing, x509.Certificate):
        data = thing.public_bytes(serialization.Encoding.PEM)
    else:
        data = thing.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    path.write_bytes(data)
    return path


def self_signed(folder: Path, name: str) -> TlsFiles:
    """`broker.crt` and `broker.key` in `folder`, for that name; the certificate is its own authority."""
    key, certificate = issue(name, None)
    return TlsFiles(write_pem(folder / "broker.crt", certificate), write_pem(folder / "broker.key", key))
