"""Where the broker is and how to log in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from protocol.service.errors import ConfigError

DEFAULT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
MAX_KEEPALIVE_S: Final = 65535  # a 16-bit field of CONNECT
MAX_RECEIVE_MAXIMUM: Final = 65535


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Address and login of an MQTT broker; checked when made (ConfigError).

    url: mqtt://[user[:password]@]host[:port] or mqtts://… (TLS); user and password are taken out of it, so that it
        can be shown.
    password_file: holds the password, read at each connect; the alternative to `password`.
    ca_file: certificates to trust instead of the system's; cert_file and key_file: our own certificate. PEM.
    insecure: do not verify the broker's certificate.
    keepalive_s: MQTT keep-alive. stall_timeout_s: sent data not taken by the peer for so long ends the connection.
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
    keepalive_s: int = 30
    connect_timeout_s: float = 3.0
    stall_timeout_s: float = 5.0
    receive_maximum: int | None = None
    client_id: str | None = None
    host: str = field(init=False, default="")
    port: int = field(init=False, default=0)
    tls: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._take_url_apart()
        self._check_login()
        self._check_tls()
        _check_range("keepalive_s", self.keepalive_s, 1, MAX_KEEPALIVE_S)
        _check_range("connect_timeout_s", self.connect_timeout_s, 0.1, 60)
        _check_range("stall_timeout_s", self.stall_timeout_s, 1, 3600)
        if self.receive_maximum is not None:
            _check_range("receive_maximum", self.receive_maximum, 1, MAX_RECEIVE_MAXIMUM)
        if self.client_id is not None and not 0 < len(self.client_id.encode()) <= 64:
            raise ConfigError(f"broker client_id must have 1 to 64 bytes, got {self.client_id!r}")

    @property
    def is_loopback(self) -> bool:
        """Is the broker on this machine?"""
        return self.host in LOOPBACK_HOSTS

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
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"broker url is not an address ({error}); expected mqtt://host:port") from error
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            # The text itself is not shown: it may hold a password.
            raise ConfigError(
                "broker url must be mqtt://host:port or mqtts://host:port (TLS), such as mqtt://localhost:1883"
            )
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ConfigError("broker url must end after the port: mqtt://host:port")
        if port == 0:
            raise ConfigError("broker url must have a port from 1 to 65535, got 0")
        self._set("host", parts.hostname)
        self._set("port", port or DEFAULT_PORTS[parts.scheme])
        self._set("tls", parts.scheme == "mqtts")
        if parts.username:
            self._take_login("username", unquote(parts.username))
        if parts.password:
            self._take_login("password", unquote(parts.password))
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe=".-_")
        self._set("url", f"{parts.scheme}://{host}:{self.port}")

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
                raise ConfigError(f"broker {name} is given but the url is mqtt://; use mqtts://{self.host} for TLS")
            if not path.is_file():
                raise ConfigError(f"broker {name} not found at {path}")
        if self.key_file is not None and self.cert_file is None:
            raise ConfigError("broker key_file is given without cert_file; give both")
        if self.insecure and not self.tls:
            raise ConfigError("broker insecure is given but the url is mqtt://, where nothing is verified anyway")


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"broker {name} must be from {low:g} to {high:g}, got {value:g}")
