"""The settings that hold, with where they came from, and nothing that is secret."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from protocol.service.coercion import PathOrName
from protocol.service.config import load_and_explain, load_config
from protocol.service.effective import effective_settings, settings_to_dict, settings_to_toml
from protocol.service.given import refuse


@dataclass(frozen=True)
class Broker:
    url: str = "mqtt://localhost"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        """As the real one: a login in the address moves to its own fields."""
        if "@" in self.url:
            login, _, host = self.url.removeprefix("mqtt://").partition("@")
            object.__setattr__(self, "username", login.split(":")[0])
            object.__setattr__(self, "password", login.split(":")[1])
            object.__setattr__(self, "url", f"mqtt://{host}")


@dataclass(frozen=True)
class Source:
    target: str = ""
    rate: int = 16000


@dataclass(frozen=True)
class Settings:
    broker: Broker = field(default_factory=Broker)
    source: Source = field(default_factory=Source)


def show(
    *, path: Path | None = None, environ: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> tuple[str, dict[str, Any]]:
    """As TOML and as JSON."""
    config, given = load_and_explain(Settings, path=path, environ=environ or {}, flags=flags or {}, report=refuse)
    settings = effective_settings(config, given, flags={"source.rate": "--rate"})
    return settings_to_toml(settings, heading="test"), json.loads(json.dumps(settings_to_dict(settings)))


def test_every_setting_says_where_it_came_from(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('[broker]\nurl = "mqtt://file"\n', encoding="utf-8")
    text, values = show(path=path, environ={"VOXWIRE_SOURCE__TARGET": "mic"}, flags={"source.rate": 48000})
    assert values["broker.url"] == {"value": "mqtt://file", "set": True, "origin": str(path)}
    assert values["source.target"] == {"value": "mic", "set": True, "origin": "VOXWIRE_SOURCE__TARGET"}
    assert values["source.rate"] == {"value": 48000, "set": True, "origin": "--rate"}
    assert values["broker.ca_file"] == {"value": None, "set": False, "origin": "default"}
    rate = next(line for line in text.splitlines() if line.startswith("rate = "))
    assert rate.split() == ["rate", "=", "48000", "#", "--rate"]


def test_what_is_printed_is_valid_as_input_and_means_the_same(tmp_path: Path) -> None:
    environ = {
        "VOXWIRE_BROKER__CA_FILE": "keys/ca.crt",
        "VOXWIRE_BROKER__USERNAME": 'Zoë "the voice"\\\n[source]',
        "VOXWIRE_SOURCE__RATE": "8000",
    }
    text, _ = show(environ=environ)
    path = tmp_path / "elsewhere" / "printed.toml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    printed = load_config(Settings, path=path, environ={}, flags={})
    wanted = load_config(Settings, path=None, environ=environ, flags={})
    assert printed.source == wanted.source
    assert printed.broker.username == wanted.broker.username
    assert printed.broker.ca_file == Path("keys/ca.crt").absolute()  # relative to here, not to where it is kept


@pytest.mark.parametrize(
    "environ",
    [
        {"VOXWIRE_BROKER__PASSWORD": "hunter2"},
        {"VOXWIRE_BROKER__URL": "mqtt://gw:hunter2@broker"},
        {"VOXWIRE_SOURCE__TARGET": "https://radio:hunter2@example.org/live"},
        {"VOXWIRE_SOURCE__TARGET": "https://radio:hun:ter2@example.org/live"},
        {"VOXWIRE_SOURCE__TARGET": "https://radio:hun@ter2@example.org/live"},
    ],
)
def test_a_secret_is_masked_wherever_it_stands(environ: dict[str, str]) -> None:
    text, values = show(environ=environ)
    assert "hunter2" not in text + json.dumps(values)
    assert "ter2@" not in text
    assert "********" in text
    tomllib.loads(text)  # the mask is a comment: nobody logs in with stars


def test_a_value_derived_from_others_is_not_called_a_default() -> None:
    text, values = show(environ={"VOXWIRE_BROKER__URL": "mqtt://gw:hunter2@broker"})
    assert values["broker.username"] == {"value": "gw", "set": True, "origin": "from the rest of [broker]"}
    assert values["broker.password"] == {"value": None, "set": True, "origin": "from the rest of [broker]"}
    assert 'username = "gw"' in text


def test_a_secret_in_a_file_of_its_own_is_shown_as_that_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n", encoding="utf-8")
    path = tmp_path / "settings.toml"
    path.write_text('[broker]\npassword_file = "secret"\n', encoding="utf-8")
    text, values = show(path=path)
    assert tomllib.loads(text)["broker"]["password_file"] == str(tmp_path / "secret")
    assert "broker.password" not in values
    assert "hunter2" not in text


def test_a_file_name_with_a_line_feed_adds_no_setting(tmp_path: Path) -> None:
    path = tmp_path / 'x\nurl = "elsewhere"\n.toml'
    path.write_text("[source]\nrate = 8000\n", encoding="utf-8")
    text, _ = show(path=path)
    assert tomllib.loads(text)["broker"]["url"] == "mqtt://localhost"


def test_a_name_that_is_no_unicode_is_left_out_and_said() -> None:
    text, _ = show(environ={"VOXWIRE_BROKER__CA_FILE": "ca\udcff.crt"})
    assert "TOML cannot write this value" in text
    text.encode("utf-8")


@dataclass(frozen=True)
class Codec:
    model: PathOrName | None = None


@pytest.mark.parametrize(("written", "printed"), [("here", "{folder}/here"), ("owner/model", "owner/model")])
def test_a_path_is_printed_whole_and_a_name_as_it_was_written(
    written: str, printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    config, given = load_and_explain(Codec, path=None, environ={}, flags={"model": written}, report=refuse)
    (setting,) = effective_settings(config, given, flags={})
    assert str(setting.value) == printed.format(folder=tmp_path)
