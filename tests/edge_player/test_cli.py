"""The command line: help, exit codes, one sentence for each failure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codec.audio.cards import SoundCard
from edge_player.cli import main
from edge_player.run import process_age_s


@pytest.mark.parametrize("command", ["run", "check", "devices"])
def test_every_command_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert "example" in capsys.readouterr().out


CARD = SoundCard(
    index=3,
    name="USB Audio",
    host_api="ALSA",
    direction="output",
    channels=2,
    sample_rate=48000,
    sample_rates=(44100, 48000),
    is_default=True,
)


def test_devices_are_listed_for_people_and_machines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codec.audio.cards.table.list_cards", lambda direction, probe_rates: [CARD])
    assert main(["devices"]) == 0
    text = capsys.readouterr().out
    assert any(line.startswith("*") and "USB Audio" in line and "44100" in line for line in text.splitlines())
    assert "--output-device NAME" in text
    assert main(["devices", "--json"]) == 0
    (device,) = json.loads(capsys.readouterr().out)
    assert (device["name"], device["default"], device["sample_rates"]) == ("USB Audio", True, [44100, 48000])


def test_no_sound_card_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codec.audio.cards.table.list_cards", lambda direction, probe_rates: [])
    assert main(["devices"]) == 0
    assert "No sound card that can play" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["print", "check"])
def test_config_takes_the_flags_of_run_and_starts_nothing(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", verb, "--out", "null", "--volume", "50"]) == 0
    assert capsys.readouterr().err == ""


def test_config_check_ends_with_78_where_run_would(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "--out", "speakers", "--volume", "900"]) == 78
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert all(line.startswith("error: ") for line in errors)


def test_a_wrong_setting_exits_with_78(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--out", "speakers"]) == 78
    assert "speakers" in capsys.readouterr().err


def test_a_model_that_is_not_there_exits_with_66(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--out", "null", "--model", str(tmp_path / "none.onnx")]) == 66
    error = capsys.readouterr().err
    assert "none.onnx" in error
    assert "Traceback" not in error


def test_a_model_that_is_no_model_exits_with_76(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "decoder.onnx"
    path.write_bytes(b"not a model")
    assert main(["run", "--out", "null", "--model", str(path)]) == 76
    assert "Traceback" not in capsys.readouterr().err


def test_an_unknown_option_exits_with_2() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", "--loud"])
    assert caught.value.code == 2


@pytest.mark.parametrize("name", ["+", "#", "a/b", "a/+", "../a", "Lobby", "a\n", "", "a" * 33, "\u0131"])
def test_a_stream_whose_name_could_lead_elsewhere_is_refused_at_the_door(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", f"--stream={name}", "--out", "null"]) == 2
    assert "1 to 32 characters from a-z, 0-9 and -" in capsys.readouterr().err


def test_a_process_has_an_age() -> None:
    assert process_age_s() > 0.0
