"""The TLS side of a broker configuration."""

from __future__ import annotations

import ssl
from typing import Final

from protocol.service.errors import ConfigError
from protocol.transport.broker_config import BrokerConfig

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class BrokerSocket(ssl.SSLSocket):
    """Keeps what TLS objected to: with TLS 1.3 a broker refuses our certificate only after the handshake."""

    objection: ssl.SSLError | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As of any socket."""
        try:
            return super().recv(buflen, flags)
        except ssl.SSLWantReadError:
            raise
        except ssl.SSLError as error:
            self.objection = error
            raise


def tls_context(config: BrokerConfig) -> ssl.SSLContext:
    """`tls_min` or newer, verified against ca_file or the system's authorities. ConfigError for unusable files."""
    try:
        context = ssl.create_default_context(cafile=None if config.ca_file is None else str(config.ca_file))
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"broker ca_file {config.ca_file} holds no usable PEM certificate: {error}") from error
    context.sslsocket_class = BrokerSocket
    context.minimum_version = _VERSIONS[config.tls_min]
    if config.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.cert_file is not None:
        try:
            context.load_cert_chain(config.cert_file, config.key_file)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(
                f"broker cert_file {config.cert_file} and key_file {config.key_file} are no usable pair: {error}"
            ) from error
    return context
