"""Settings from defaults, file, environment and flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest

from protocol.service import ConfigError, ExitCode, PathOrName, load_config


class Link(Enum):
    LAN = "lan"
    WAN = "wan"


@dataclass(frozen=True)
class Broker:
    url: str = "mqtt://localhost"
    keepalive_s: int = 20
    timeout_s: float = 3.0
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None


@dataclass(frozen=True)
class Jitter:
    delay_ms: int = 160
    mode: Literal["auto", "fixed"] = "auto"

    def __post_init__(self) -> None:
        if self.delay_ms < 0:
            raise ValueError(f"delay_ms must not be negative, got {self.delay_ms}")


@dataclass(frozen=True)
class Settings:
    stream: str
    broker: Broker = field(default_factory=Broker)
    jitter: Jitter = field(default_factory=Jitter)
    link: Link = Link.WAN
    layers: tuple[int, ...] = ()
    loop: bool = False
    limit: int | float | None = None


def load(
    text: str | None = None,
    tmp_path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    path = None
    if text is not None:
        assert tmp_path is not None
        path = tmp_path / "settings.toml"
        path.write_text(text, encoding="utf-8")
    return load_config(Settings, path=path, environ=environ or {}, flags={"stream": "lobby", **(flags or {})})


def test_defaults_need_nothing() -> None:
    assert load() == Settings("lobby")


def test_flag_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    text = '[broker]\nurl = "mqtt://file"\nkeepalive_s = 1\ntimeout_s = 1\n'
    environ = {"VOXWIRE_BROKER__URL": "mqtt://env", "VOXWIRE_BROKER__KEEPALIVE_S": "2"}
    settings = load(text, tmp_path, environ=environ, flags={"broker.url": "mqtt://flag", "broker.ca_file": None})
    assert settings.broker == Broker("mqtt://flag", 2, 1.0)


def test_every_type_is_read_from_the_file(tmp_path: Path) -> None:
    settings = load('link = "lan"\nlayers = [4, 8]\nloop = true\n[jitter]\nmode = "fixed"\n', tmp_path)
    assert (settings.link, settings.layers, settings.loop) == (Link.LAN, (4, 8), True)
    assert settings.jitter.mode == "fixed"


def test_every_type_is_read_from_text() -> None:
    environ = {
        "VOXWIRE_LINK": "LAN",
        "VOXWIRE_LAYERS": "4, 8",
        "VOXWIRE_LOOP": "yes",
        "VOXWIRE_LIMIT": "1.5",
        "VOXWIRE_JITTER__MODE": "fixed",
    }
    settings = load(environ=environ)
    assert (settings.link, settings.layers, settings.loop, settings.limit) == (Link.LAN, (4, 8), True, 1.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[broker]\nulr = 'x'\n", r"unknown key 'broker.ulr'; the nearest known one is 'broker.url'"),
        ("[brokr]\nurl = 'x'\n", r"unknown key 'brokr'; the nearest known one is 'broker'"),
        ("url = 'x'\n", r"unknown key 'url'; the nearest known one is 'broker.url'"),
        ("zzz = 1\n", r"unknown key 'zzz'; known keys are .*stream"),
        ("broker = 'x'\n", r"'broker' is a section, write \[broker\]"),
        ("[broker]\nkeepalive_s = '20'\n", r"'broker.keepalive_s' must be a whole number, got '20'"),
        ("[broker]\nkeepalive_s = true\n", r"must be a whole number, got True"),
        ("[broker]\ntimeout_s = nan\n", r"must be a number"),
        ("[broker]\nurl = 5\n", r"must be a text, got 5"),
        ("[jitter]\nmode = 'slow'\n", r"must be one of auto, fixed, got 'slow'"),
        ("link = 'moon'\n", r"must be one of lan, wan, got 'moon'"),
        ("layers = 4\n", r"must be a list, got 4"),
        ("loop = 1\n", r"must be true or false, got 1"),
        ("limit = 'x'\n", r"must be a whole number, got 'x' or a number"),
        ("[jitter]\ndelay_ms = -1\n", r"\[jitter\] delay_ms must not be negative"),
        ("[broker\n", r"is not valid TOML"),
        ("layers = " + "9" * 5000, r"is not valid TOML: Exceeds the limit"),
        ("[broker]\nkeepalive_s = 0x" + "f" * 5000, r"must be a whole number of at most 64 bits"),
        ("[broker]\ntimeout_s = 1" + "0" * 400, r"must be a whole number of at most 64 bits"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(text, tmp_path)
    assert caught.value.exit_code == ExitCode.CONFIGURATION


def test_brackets_without_end_are_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not valid TOML: brackets within brackets"):
        load("x = " + "[" * 100_000, tmp_path)


def test_bytes_that_are_no_text_are_no_toml(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b"stream = '\xff'\n")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load_config(Settings, path=path, environ={}, flags={})


class NamedError(Exception):
    """As of a name that may not stand in a topic: wrong usage on the command line."""

    exit_code = 2


@dataclass(frozen=True)
class Named:
    name: str = "lobby"

    def __post_init__(self) -> None:
        if "/" in self.name:
            raise NamedError(f"{self.name} has a slash")


@dataclass(frozen=True)
class Naming:
    stream: Named = field(default_factory=Named)


def test_wrong_usage_by_a_flag_is_a_wrong_setting_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[stream]\nname = 'a/b'\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"wrong setting: \[stream\] a/b has a slash"):
        load_config(Naming, path=path, environ={}, flags={})
    with pytest.raises(NamedError):
        load_config(Naming, path=None, environ={}, flags={"stream.name": "a/b"})


def test_the_file_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"settings.toml: unknown key"):
        load("nonsense = 1\n", tmp_path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="configuration file not found at"):
        load_config(Settings, path=tmp_path / "none.toml", environ={}, flags={})


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the configuration file"):
        load_config(Settings, path=tmp_path, environ={}, flags={})


def test_a_missing_setting_says_how_to_give_it() -> None:
    with pytest.raises(ConfigError, match=r"missing setting 'stream'.*VOXWIRE_STREAM"):
        load_config(Settings, path=None, environ={}, flags={})


def test_a_typing_error_in_the_environment_is_found() -> None:
    with pytest.raises(ConfigError, match=r"VOXWIRE_BROKER__ULR; the nearest known one is 'broker.url'"):
        load(environ={"VOXWIRE_BROKER__ULR": "x"})


def test_what_is_meant_for_another_command_is_left_alone() -> None:
    assert load(environ={"VOXWIRE_SOURCE__RATE": "1", "VOXWIRE_CACHE": "x", "HOME": "/"}) == Settings("lobby")


def test_a_wrong_value_in_the_environment_names_the_variable() -> None:
    with pytest.raises(ConfigError, match=r"VOXWIRE_BROKER__KEEPALIVE_S: 'broker.keepalive_s' must be a whole"):
        load(environ={"VOXWIRE_BROKER__KEEPALIVE_S": "soon"})


def test_a_flag_that_names_no_setting_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match=r"broker.nonsense"):
        load(flags={"broker.nonsense": 1})


def test_a_secret_may_lie_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n", encoding="utf-8")
    settings = load('[broker]\npassword_file = "secret"\n', tmp_path)
    assert settings.broker.password == "hunter2"
    assert "hunter2" not in repr(settings)


def test_a_secret_from_the_environment_wins_over_a_secret_file(tmp_path: Path) -> None:
    settings = load('[broker]\npassword_file = "gone"\n', tmp_path, environ={"VOXWIRE_BROKER__PASSWORD": "direct"})
    assert settings.broker.password == "direct"


def test_a_secret_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="which is no text in UTF-8"):
        load('[broker]\npassword_file = "secret"\n', tmp_path)


def test_a_secret_of_another_type_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'broker.password' must be text or none") as caught:
        load("[broker]\npassword = 12345\n", tmp_path)
    assert "12345" not in str(caught.value)


def test_a_secret_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'broker.password_file' names .*gone, which cannot be read"):
        load('[broker]\npassword_file = "gone"\n', tmp_path)


def test_paths_in_a_file_are_relative_to_that_file(tmp_path: Path) -> None:
    assert load('[broker]\nca_file = "ca.crt"\n', tmp_path).broker.ca_file == tmp_path / "ca.crt"
    assert load(flags={"broker.ca_file": "ca.crt"}).broker.ca_file == Path("ca.crt")
    assert load('[broker]\nca_file = "/etc/ca.crt"\n', tmp_path).broker.ca_file == Path("/etc/ca.crt")


@dataclass(frozen=True)
class Codec:
    model: PathOrName | None = None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("owner/some-model_1.0", "owner/some-model_1.0"),
        ("models/here", "{folder}/models/here"),
        ("./models/none", "{folder}/models/none"),
        ("one/two/three", "{folder}/one/two/three"),
        ("model", "{folder}/model"),
        ("/abs/model", "/abs/model"),
    ],
)
def test_a_setting_may_be_a_path_or_the_name_of_what_lies_elsewhere(
    written: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "models" / "here").mkdir(parents=True)
    path = tmp_path / "settings.toml"
    path.write_text(f'model = "{written}"\n')
    config = load_config(Codec, path=path, environ={}, flags={})
    assert config.model == expected.format(folder=tmp_path)
    assert isinstance(config.model, PathOrName)
