"""Where brokers are: the text of `broker.url` taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from protocol.service.errors import ConfigError

DEFAULT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
DEFAULT_PATH: Final = "/mqtt"  # what brokers listen on for WebSockets unless they are told otherwise
MAX_ADDRESSES: Final = 8
LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_EXPECTED = "mqtt://host:port, mqtts://host:port (TLS), ws://host:port/path or wss://host:port/path"


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """One address of a broker. path: of the WebSocket, empty for plain MQTT."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def url(self) -> str:
        """As it is written, without the login."""
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe=".-_")
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def tls(self) -> bool:
        """Is it encrypted?"""
        return self.scheme in ("mqtts", "wss")

    @property
    def websocket(self) -> bool:
        """Does MQTT travel in WebSocket frames?"""
        return self.scheme in ("ws", "wss")

    @property
    def is_loopback(self) -> bool:
        """Is the broker on this machine?"""
        return self.host in LOOPBACK_HOSTS


@dataclass(frozen=True, slots=True)
class Login:
    """What stood before the @ of an address; None where nothing did."""

    username: str | None
    password: str | None


def parse_addresses(text: str) -> tuple[tuple[BrokerAddress, ...], Login]:
    """The addresses in their order, and the login that they name. Raises ConfigError, never with a secret in it.

    Commas separate addresses; one inside a password is written %2C.
    """
    addresses: list[BrokerAddress] = []
    logins: list[Login] = []
    for part in text.split(","):
        address, login = _parse(part.strip())
        if address not in addresses:
            addresses.append(address)
        if login != Login(None, None) and login not in logins:
            logins.append(login)
    if len(addresses) > MAX_ADDRESSES:
        raise ConfigError(f"broker url may name {MAX_ADDRESSES} addresses, got {len(addresses)}")
    if len({address.tls for address in addresses}) > 1:
        raise ConfigError(
            "broker url mixes encrypted and plain addresses; use either mqtts:// and wss://, or the others"
        )
    if len(logins) > 1:
        raise ConfigError("broker url names several logins; all addresses must take the same one, so give it once")
    return tuple(addresses), logins[0] if logins else Login(None, None)


def _parse(text: str) -> tuple[BrokerAddress, Login]:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"broker url is not an address ({error}); expected mqtt://host:port") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        # The text itself is not shown: it may hold a password.
        raise ConfigError(f"broker url must be {_EXPECTED}, several of them separated by commas")
    if port == 0:
        raise ConfigError("broker url must have a port from 1 to 65535, got 0")
    address = BrokerAddress(parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme], _path(parts))
    return address, Login(_text(parts.username), _text(parts.password))


def _path(parts: SplitResult) -> str:
    if parts.scheme in ("ws", "wss"):
        if parts.fragment or any(not " " < letter < "\x7f" for letter in parts.path + parts.query):
            raise ConfigError(
                "broker url must end after the path, which holds ASCII without spaces only: ws://host/path"
            )
        path = DEFAULT_PATH if parts.path in ("", "/") else parts.path
        return f"{path}?{parts.query}" if parts.query else path
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigError(f"broker url must end after the port: {parts.scheme}://host:port")
    return ""


def _text(part: str | None) -> str | None:
    return unquote(part) if part else None
