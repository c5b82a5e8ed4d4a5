"""What of a valid broker configuration a careful person would change."""

from __future__ import annotations

from collections.abc import Iterator

from protocol.transport.broker_config import BrokerConfig


def broker_cautions(config: BrokerConfig) -> Iterator[str]:
    """Sentences for `config check` and `check`; none for a broker on this machine, or behind checked TLS."""
    if config.insecure:
        yield "broker.insecure is set: anybody may pose as the broker; name its authority in broker.ca_file instead"
    elif not config.tls and not config.is_loopback:
        what = "what is sent" if config.username is None else "the password and what is sent"
        yield f"{config.url} is not encrypted: everybody on the way can read {what}; use mqtts://"
