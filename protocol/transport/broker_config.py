"""Where the broker is and how to log in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from protocol.service.errors import ConfigError
from protocol.transport.addresses import BrokerAddress, parse_addresses

MAX_KEEPALIVE_S: Final = 65535  # a 16-bit field of CONNECT
DEFAULT_KEEPALIVE_S: Final = 30
MAX_RECEIVE_MAXIMUM: Final = 65535


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Addresses and login of an MQTT broker; checked when made (ConfigError).

    url: mqtt://[user[:password]@]host[:port], mqtts://… (TLS), ws://…[/path] or wss://… (WebSocket, by default /mqtt);
        several, separated by commas, are tried in turn with the same login. User and password are taken out of it, so
        that it can be shown.
    password_file: holds the password, read at each connect; the alternative to `password`.
    ca_file: certificates to trust instead of the system's; cert_file and key_file: our own certificate. PEM.
    insecure: do not verify the broker's certificate. tls_min: the oldest version of TLS that will do.
    keepalive_s: MQTT keep-alive; None: what the link profile says, or 30.
    stall_timeout_s: sent data not taken by the peer for so long ends the connection.
    receive_maximum: how many QoS 1 messages the broker may send before we acknowledge one (MQTT 5).
    client_id: stable and unique per device and program; None: a random one.
    """

    url: str = "mqtt://127.0.0.1:1883"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    insecure: bool = False
    tls_min: Literal["1.2", "1.3"] = "1.2"
    keepalive_s: int | None = None
    connect_timeout_s: float = 3.0
    stall_timeout_s: float = 5.0
    receive_maximum: int | None = None
    client_id: str | None = None
    addresses: tuple[BrokerAddress, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        self._take_url_apart()
        self._check_login()
        self._check_tls()
        if self.keepalive_s is not None:
            _check_range("keepalive_s", self.keepalive_s, 1, MAX_KEEPALIVE_S)
        _check_range("connect_timeout_s", self.connect_timeout_s, 0.1, 60)
        _check_range("stall_timeout_s", self.stall_timeout_s, 1, 3600)
        if self.receive_maximum is not None:
            _check_range("receive_maximum", self.receive_maximum, 1, MAX_RECEIVE_MAXIMUM)
        if self.client_id is not None and not 0 < len(self.client_id.encode()) <= 64:
            raise ConfigError(f"broker client_id must have 1 to 64 bytes, got {self.client_id!r}")

    @property
    def tls(self) -> bool:
        """Is the connection encrypted? All addresses are of one kind."""
        return self.addresses[0].tls

    @property
    def keepalive(self) -> int:
        """MQTT keep-alive in seconds."""
        return DEFAULT_KEEPALIVE_S if self.keepalive_s is None else self.keepalive_s

    @property
    def is_loopback(self) -> bool:
        """Is the broker on this machine, at every address?"""
        return all(address.is_loopback for address in self.addresses)

    @property
    def as_whom(self) -> str:
        """`as user 'lobby'`, for sentences."""
        if self.username is not None:
            return f"as user {self.username!r}"
        return "without a user name" if self.cert_file is None else f"with the certificate {self.cert_file}"

    def login(self) -> tuple[str | None, str | None]:
        """User name and password; the password file is read now. Raises ConfigError if it cannot be."""
        if self.password_file is None:
            return self.username, self.password
        try:
            return self.username, self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read the broker password file {self.password_file}: {error}") from error

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # the dataclass is frozen for everyone but its own construction

    def _take_url_apart(self) -> None:
        addresses, login = parse_addresses(self.url)
        self._set("addresses", addresses)
        self._set("url", ",".join(address.url for address in addresses))
        if login.username:
            self._take_login("username", login.username)
        if login.password:
            self._take_login("password", login.password)

    def _take_login(self, name: str, value: str) -> None:
        """An explicit field wins over the url: the environment or a flag replaces what a shared file says."""
        if getattr(self, name) is None:
            self._set(name, value)

    def _check_login(self) -> None:
        if self.password is not None and self.password_file is not None:
            raise ConfigError("broker password and password_file are both given; keep one of them")
        if (self.password is not None or self.password_file is not None) and self.username is None:
            raise ConfigError("a broker password without a user name; give broker username as well")
        if self.password_file is not None:
            self.login()

    def _check_tls(self) -> None:
        files = {"ca_file": self.ca_file, "cert_file": self.cert_file, "key_file": self.key_file}
        for name, path in files.items():
            if path is None:
                continue
            if not self.tls:
                raise ConfigError(f"broker {name} is given but the url is {self._plain}; use {self._encrypted} for TLS")
            if not path.is_file():
                raise ConfigError(f"broker {name} not found at {path}")
        if self.key_file is not None and self.cert_file is None:
            raise ConfigError("broker key_file is given without cert_file; give both")
        if self.insecure and not self.tls:
            raise ConfigError(
                f"broker insecure is given but the url is {self._plain}, where nothing is verified anyway"
            )
        if self.tls_min not in ("1.2", "1.3"):
            raise ConfigError(f"broker tls_min must be 1.2 or 1.3, got {self.tls_min!r}")
        if self.tls_min != "1.2" and not self.tls:
            raise ConfigError(f"broker tls_min is given but the url is {self._plain}; use {self._encrypted} for TLS")

    @property
    def _plain(self) -> str:
        return f"{self.addresses[0].scheme}://"

    @property
    def _encrypted(self) -> str:
        first = self.addresses[0]
        return f"{first.scheme}s://{first.host}"


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"broker {name} must be from {low:g} to {high:g}, got {value:g}")
