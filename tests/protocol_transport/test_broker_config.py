"""Address and login of a broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.service import ConfigError, load_config
from protocol.transport import BrokerConfig


def test_the_url_is_taken_apart() -> None:
    config = BrokerConfig("mqtt://edge:p%40ss@example.org:2883")
    assert (config.host, config.port, config.tls) == ("example.org", 2883, False)
    assert config.login() == ("edge", "p@ss")
    assert config.url == "mqtt://example.org:2883", "what is shown holds no secret"


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [("mqtt://h", "h", 1883), ("mqtts://h", "h", 8883), ("mqtt://[::1]:7", "::1", 7), ("mqtt://h:1/", "h", 1)],
)
def test_ports_have_their_defaults(url: str, host: str, port: int) -> None:
    config = BrokerConfig(url)
    assert (config.host, config.port) == (host, port)


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
    assert config.host == "other"
    assert config.login() == ("edge", "from a file")


def test_a_password_from_the_environment_replaces_the_file_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    file.write_text('username = "edge"\npassword_file = "gone"\n', encoding="utf-8")
    config = load_config(BrokerConfig, path=file, environ={"VOXWIRE_PASSWORD": "direct"}, flags={})
    assert config.login() == ("edge", "direct")
