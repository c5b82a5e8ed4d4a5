"""`config print` and `config check`."""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from protocol.service import add_broker_arguments, add_common_arguments, add_config_command, run_command_line


@dataclass(frozen=True)
class Broker:
    url: str = "mqtt://localhost"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    tls_min: str | None = None
    insecure: bool = False
    keepalive_s: int = 30

    def __post_init__(self) -> None:
        if self.keepalive_s < 1:
            raise ValueError(f"broker.keepalive_s is {self.keepalive_s}, expected 1 or more")


@dataclass(frozen=True)
class Settings:
    broker: Broker = field(default_factory=Broker)


def cautions(config: Settings) -> Iterator[str]:
    if config.broker.insecure:
        yield "certificates are not checked"


Command = Callable[..., int]


@pytest.fixture
def command() -> Command:
    """`command("print", "--broker", …)`: the exit code."""
    parser = argparse.ArgumentParser(prog="thing")

    def add_settings(parser: argparse.ArgumentParser) -> None:
        add_broker_arguments(parser)
        add_common_arguments(parser)

    add_config_command(
        parser.add_subparsers(required=True),
        Settings,
        program="thing",
        sample="thing.toml",
        add_settings=add_settings,
        cautions=cautions,
    )
    return lambda *arguments: run_command_line(parser, ["config", *map(str, arguments)])


@pytest.fixture
def settings_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a settings file that only we may read."""

    def write(text: str) -> Path:
        path = tmp_path / "thing.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    return write


def test_print_names_the_flag_that_won(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("print", "--broker", "mqtt://hall") == 0
    text = capsys.readouterr().out
    assert tomllib.loads(text)["broker"]["url"] == "mqtt://hall"
    assert next(line for line in text.splitlines() if line.startswith("url")).endswith("# --broker")


def test_print_as_json_has_every_setting(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("print", "--json") == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["broker.keepalive_s"] == {"value": 30, "set": True, "origin": "default"}
    assert settings["broker.password"]["set"] is False


def test_print_of_wrong_settings_is_one_sentence_and_exit_code_78(
    command: Command, settings_file: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("print", "--config", settings_file("[broker]\nulr = 1\n")) == 78
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("error: ")


def test_check_says_everything_that_is_wrong_at_once(
    command: Command,
    settings_file: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VOXWIRE_BROKER__PASWORD", "x")
    path = settings_file("colour = 1\n[broker]\nulr = 'x'\nkeepalive_s = 'long'\ninsecure = 1\n")
    assert command("check", "--config", path) == 78
    captured = capsys.readouterr()
    errors = captured.err.splitlines()
    assert all(line.startswith("error: ") for line in errors)
    for name in ("'colour'", "'broker.ulr'", "VOXWIRE_BROKER__PASWORD", "'broker.keepalive_s'", "'broker.insecure'"):
        assert sum(name in line for line in errors) == 1, name
    assert len(errors) == 5
    assert captured.out == ""


def test_check_runs_the_checks_of_the_section_itself(
    command: Command, settings_file: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = settings_file("[broker]\nkeepalive_s = 0\n")
    assert command("check", "--json", "--config", path) == 78
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["exit_code"] == 78
    assert report["problems"] == ["wrong setting: [broker] broker.keepalive_s is 0, expected 1 or more"]


def test_check_of_good_settings_says_how_many_were_given(
    command: Command, settings_file: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = settings_file("[broker]\nkeepalive_s = 20\n")
    assert command("check", "--config", path, "--broker", "mqtt://hall") == 0
    captured = capsys.readouterr()
    assert "2 of 10 given" in captured.out
    assert captured.err == ""


def test_check_shows_no_secret_of_the_wrong_type(
    command: Command, settings_file: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("check", "--config", settings_file("[broker]\npassword = 12345\n")) == 78
    captured = capsys.readouterr()
    assert "'broker.password' must be text or none" in captured.err
    assert "12345" not in captured.err


def test_check_warns_of_what_a_careful_person_would_change(
    command: Command,
    settings_file: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VOXWIRE_SINK__OUT", "speaker")
    path = settings_file("[broker]\npassword = 'hunter2'\ninsecure = true\n")
    path.chmod(0o644)
    assert command("check", "--config", path) == 0
    warnings = capsys.readouterr().err
    assert f"chmod 600 {path}" in warnings
    assert "certificates are not checked" in warnings
    assert "VOXWIRE_SINK__OUT is no setting of this command" in warnings
    assert "hunter2" not in warnings


def test_check_warns_of_a_password_file_that_everybody_may_read(
    command: Command, tmp_path: Path, settings_file: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    path = settings_file("[broker]\npassword_file = 'secret'\n")
    secret.chmod(0o600)
    assert command("check", "--config", path) == 0
    assert capsys.readouterr().err == ""
    secret.chmod(0o644)
    assert command("check", "--config", path) == 0
    assert f"chmod 600 {secret}" in capsys.readouterr().err


def test_check_warns_of_a_password_on_the_command_line(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("check", "--broker", "mqtt://gw:hunter2@hall") == 0
    error = capsys.readouterr().err
    assert "'broker.url' has a password on the command line" in error
    assert "hunter2" not in error


@pytest.mark.parametrize("verb", ["print", "check"])
def test_both_verbs_show_an_example(command: Command, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command(verb, "--help")
    assert caught.value.code == 0
    assert f"thing config {verb} --config thing.toml" in capsys.readouterr().out
