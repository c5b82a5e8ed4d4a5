"""The TLS side of a broker configuration."""

from __future__ import annotations

import ssl

from protocol.service.errors import ConfigError
from protocol.transport.broker_config import BrokerConfig


class _ClosingSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails; paho forgets such a socket without closing it."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def tls_context(config: BrokerConfig) -> ssl.SSLContext:
    """TLS 1.2 or newer, verified against ca_file or the system's authorities. Raises ConfigError for unusable files."""
    try:
        context = ssl.create_default_context(cafile=None if config.ca_file is None else str(config.ca_file))
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"broker ca_file {config.ca_file} holds no usable PEM certificate: {error}") from error
    context.sslsocket_class = _ClosingSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
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
