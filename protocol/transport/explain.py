"""Why a connect failed, in words that say what to do."""

from __future__ import annotations

import datetime
import socket
import ssl
from dataclasses import dataclass
from typing import Final

from protocol.transport.addresses import BrokerAddress
from protocol.transport.backoff import EndReason
from protocol.transport.broker_config import BrokerConfig

# Of OpenSSL's x509_vfy.h; Python hands the number out and has no names for it.
_EXPIRED: Final = 10
_NOT_YET_VALID: Final = 9
_REVOKED: Final = 23
_WRONG_NAME: Final = frozenset({62, 64})  # host name, IP address
_UNKNOWN_ISSUER: Final = frozenset({2, 7, 18, 19, 20, 21})

# What the broker says in a TLS alert about our certificate, by OpenSSL's name of the alert.
_ASKS_FOR_OURS: Final = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED"})
_REFUSES_OURS: Final = {
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it has been revoked",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not say why",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it cannot be used",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it is of the wrong kind",
    "TLSV1_ALERT_UNKNOWN_CA": "its authority is not known there",
    "TLSV1_ALERT_ACCESS_DENIED": "access denied",
    "TLSV1_ALERT_DECRYPT_ERROR": "its key does not fit",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "no agreement",
}
_OTHER_VERSION: Final = frozenset({"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL"})


@dataclass(frozen=True, slots=True)
class Explanation:
    """How an attempt ended, and one clause about it, without the address."""

    reason: EndReason
    text: str


def explain_connect_error(error: Exception, config: BrokerConfig, address: BrokerAddress) -> Explanation:
    """What an error of TCP, TLS or WebSocket means, during connect or, for TLS, right after."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Explanation(EndReason.TLS_REFUSED, _unverified(error, config, address))
    if isinstance(error, ssl.SSLError):
        return _tls_failure(error, config, address)
    return Explanation(EndReason.UNREACHABLE, _unreachable(error, config, address))


def _unverified(error: ssl.SSLCertVerificationError, config: BrokerConfig, address: BrokerAddress) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return f"the broker's certificate has expired; it must be renewed there, unless {_our_clock()} is wrong"
    if code == _NOT_YET_VALID:
        return f"the broker's certificate is not valid yet; {_our_clock()} may be wrong"
    if code == _REVOKED:
        return "the broker's certificate has been revoked; the broker needs another one"
    if code in _WRONG_NAME:
        return f"the broker's certificate is not for {address.host!r}; use the name it was made for in broker.url"
    if code in _UNKNOWN_ISSUER:
        if config.ca_file is None:
            return (
                f"the broker's certificate is not from an authority known to this system ({error.verify_message}); "
                "name its authority's certificate in broker.ca_file (--cafile)"
            )
        return (
            f"the broker's certificate was not issued by an authority in ca_file {config.ca_file} "
            f"({error.verify_message}); get the certificate of the broker's authority"
        )
    return f"the broker's certificate does not verify ({error.verify_message})"


def _tls_failure(error: ssl.SSLError, config: BrokerConfig, address: BrokerAddress) -> Explanation:
    reason = error.reason or ""
    asked = reason in _ASKS_FOR_OURS or (reason in _REFUSES_OURS and config.cert_file is None)
    if asked:
        return Explanation(
            EndReason.TLS_REFUSED,
            f"the broker asks for a client certificate ({_words(reason)}); "
            "give broker.cert_file and broker.key_file (--certfile, --keyfile)",
        )
    if reason in _REFUSES_OURS:
        return Explanation(
            EndReason.TLS_REFUSED,
            f"the broker refused our certificate {config.cert_file}: {_REFUSES_OURS[reason]} ({_words(reason)})",
        )
    if reason in _OTHER_VERSION:
        return Explanation(
            EndReason.TLS_REFUSED,
            f"the broker does not speak TLS {config.tls_min} or newer ({_words(reason)}); "
            "set broker.tls_min to what it speaks, or have it changed there",
        )
    text = f"TLS failed ({error.reason or error}); does the broker speak TLS on port {address.port}?"
    return Explanation(EndReason.UNREACHABLE, text)


def _unreachable(error: Exception, config: BrokerConfig, address: BrokerAddress) -> str:
    if isinstance(error, socket.gaierror):
        return f"host name {address.host!r} was not found"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is a broker running there?"
    if isinstance(error, TimeoutError):
        return f"no answer within {config.connect_timeout_s:g} s; is the address right, and the port open?"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"the address cannot be used ({error})"


def _words(reason: str) -> str:
    """`TLSV1_ALERT_UNKNOWN_CA` as `unknown ca`."""
    return reason.partition("ALERT_")[2].replace("_", " ").lower() or reason.replace("_", " ").lower()


def _our_clock() -> str:
    return f"this machine's clock ({datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC)"
