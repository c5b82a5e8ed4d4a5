"""Address and login of a broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.service import ConfigError, load_config
from protocol.transport import BrokerAddress, BrokerConfig


def test_the_url_is_taken_apart() -> None:
    config = BrokerConfig("mqtt://edge:p%40ss@example.org:2883")
    assert config.addresses == (BrokerAddress("mqtt", "example.org", 2883),)
    assert not config.tls
    assert config.login() == ("edge", "p@ss")
    assert config.url == "mqtt://example.org:2883", "what is shown holds no secret"


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("mqtt://h", "h", 1883),
        ("mqtts://h", "h", 8883),
        ("ws://h", "h", 80),
        ("wss://h", "h", 443),
        ("mqtt://[::1]:7", "::1", 7),
        ("mqtt://h:1/", "h", 1),
    ],
)
def test_ports_have_their_defaults(url: str, host: str, port: int) -> None:
    (address,) = BrokerConfig(url).addresses
    assert (address.host, address.port) == (host, port)


@pytest.mark.parametrize(
    ("url", "path"), [("ws://h", "/mqtt"), ("wss://h/", "/mqtt"), ("ws://h/a/b?c=d", "/a/b?c=d"), ("mqtt://h/", "")]
)
def test_a_websocket_has_a_path_and_by_default_that_of_mqtt(url: str, path: str) -> None:
    (address,) = BrokerConfig(url).addresses
    assert (address.path, address.websocket) == (path, bool(path))


def test_several_addresses_share_one_login_and_are_shown_without_it() -> None:
    config = BrokerConfig("mqtts://edge:p%2Cw@one, wss://two:4443/m,mqtts://one:8883")
    assert [address.url for address in config.addresses] == ["mqtts://one:8883", "wss://two:4443/m"]
    assert config.url == "mqtts://one:8883,wss://two:4443/m"
    assert config.login() == ("edge", "p,w")
    assert config.tls
    assert BrokerConfig(config.url, username="edge").addresses == config.addresses, "what is shown can be given again"


def test_all_addresses_must_be_on_this_machine_to_be_called_that() -> None:
    assert BrokerConfig("mqtt://localhost,mqtt://[::1]").is_loopback
    assert not BrokerConfig("mqtt://localhost,mqtt://elsewhere").is_loopback


def test_no_secret_is_ever_shown() -> None:
    config = BrokerConfig("mqtt://edge:hunter2@h")
    assert "hunter2" not in repr(config)
    with pytest.raises(ConfigError) as caught:
        BrokerConfig("http://edge:hunter2@h")
    assert "hunter2" not in str(caught.value)


def test_an_explicit_login_wins_over_the_url() -> None:
    assert BrokerConfig("mqtt://a:b@h", username="c", password="d").login() == ("c", "d")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "localhost:1883"}, "must be mqtt://host:port"),
        ({"url": "mqtt://h,"}, "must be mqtt://host:port"),
        ({"url": "mqtt://h,mqtts://h"}, "mixes encrypted and plain"),
        ({"url": "mqtt://a:b@h,mqtt://c:d@i"}, "several logins"),
        ({"url": ",".join(f"mqtt://h{n}" for n in range(9))}, "8 addresses, got 9"),
        ({"url": "ws://h/a b"}, "without spaces"),
        ({"url": "wss://h/a#b"}, "end after the path"),
        ({"tls_min": "1.3"}, "tls_min is given but the url is mqtt://; use mqtts://"),
        ({"url": "wss://h", "tls_min": "1.1"}, "tls_min must be 1.2 or 1.3"),
        ({"url": "ws://h", "ca_file": Path("ca.crt")}, "use wss://h for TLS"),
        ({"url": "mqtt://"}, "must be mqtt://host:port"),
        ({"url": "mqtt://h:99999"}, "not an address"),
        ({"url": "mqtt://h:0"}, "from 1 to 65535"),
        ({"url": "mqtt://h/topic"}, "must end after the port"),
        ({"password": "x"}, "without a user name"),
        ({"username": "a", "password": "x", "password_file": Path("y")}, "both given"),
        ({"username": "a", "password_file": Path("/nowhere/secret")}, "cannot read the broker password file"),
        ({"ca_file": Path("ca.crt")}, "use mqtts://"),
        ({"url": "mqtts://h", "ca_file": Path("/nowhere/ca.crt")}, "ca_file not found at /nowhere/ca.crt"),
        ({"insecure": True}, "insecure"),
        ({"keepalive_s": 0}, "keepalive_s must be from 1 to 65535, got 0"),
        ({"connect_timeout_s": 0.0}, "connect_timeout_s"),
        ({"receive_maximum": 0}, "receive_maximum"),
        ({"client_id": "x" * 65}, "client_id"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BrokerConfig(**options)  # type: ignore[arg-type]


def test_a_key_without_its_certificate_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "k"
    key.touch()
    with pytest.raises(ConfigError, match="without cert_file"):
        BrokerConfig("mqtts://h", key_file=key)


def test_the_password_file_is_read_at_each_login(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("one\n", encoding="utf-8")
    config = BrokerConfig(username="edge", password_file=secret)
    assert config.login() == ("edge", "one")
    secret.write_text("two\n", encoding="utf-8")
    assert config.login() == ("edge", "two")


def test_it_is_loaded_like_any_other_settings(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from a file", encoding="utf-8")
    file = tmp_path / "edge.toml"
    file.write_text('url = "mqtt://h"\nusername = "edge"\npassword_file = "secret"\n', encoding="utf-8")
    config = load_config(BrokerConfig, path=file, environ={}, flags={"url": "mqtt://other"})
    assert config.addresses[0].host == "other"
    assert config.login() == ("edge", "from a file")


def test_a_password_from_the_environment_replaces_the_file_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    file.write_text('username = "edge"\npassword_file = "gone"\n', encoding="utf-8")
    config = load_config(BrokerConfig, path=file, environ={"VOXWIRE_PASSWORD": "direct"}, flags={})
    assert config.login() == ("edge", "direct")
