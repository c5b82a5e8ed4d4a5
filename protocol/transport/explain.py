"""Why a connect failed, in words that say what to do."""

from __future__ import annotations

import socket
import ssl

from protocol.transport.broker_config import BrokerConfig


def explain_connect_error(error: Exception, config: BrokerConfig) -> str:
    """One clause, without the address, for an error of TCP or TLS connect."""
    if isinstance(error, ssl.SSLCertVerificationError):
        trusted = "the system's authorities" if config.ca_file is None else f"ca_file {config.ca_file}"
        return f"the broker's certificate does not verify against {trusted} ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error}); does the broker speak TLS on port {config.port}?"
    if isinstance(error, socket.gaierror):
        return f"host name {config.host!r} was not found"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is a broker running there?"
    if isinstance(error, TimeoutError):
        return f"no answer within {config.connect_timeout_s:g} s; is the address right, and the port open?"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"the address cannot be used ({error})"
