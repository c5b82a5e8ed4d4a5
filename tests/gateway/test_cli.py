from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from codec.audio.cards import SoundCard
from gateway import cli


@pytest.mark.parametrize("command", ["run", "demo", "check", "plan", "devices"])
def test_every_command_shows_an_example_and_the_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert f"gateway {command}" in text.split("example", 1)[1]
    assert "69 broker unavailable" in " ".join(text.split())


@pytest.mark.parametrize("arguments", [[], ["sing"], ["run", "--for", "soon"], ["run", "--qos", "2"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2


def test_a_run_without_a_source_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run"]) == 66
    assert "No source given: expected --source mic" in capsys.readouterr().err


def test_a_setting_out_of_range_is_a_configuration_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--source", "-", "--frames-per-packet", "26"]) == 78
    assert "expected 1 to 25" in capsys.readouterr().err


def test_a_stream_id_with_a_slash_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--source", "-", "--stream", "a/b"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_demo_of_a_missing_file_starts_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["demo", "--source", str(tmp_path / "none.wav"), "--out", str(tmp_path / "demo")]
    assert cli.main(arguments) == 66
    assert "File not found at" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_a_missing_model_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["run", "--source", "-", "--model", str(tmp_path / "none")]) == 66
    assert "Model not found at" in capsys.readouterr().err


CARD = SoundCard(
    index=3,
    name="USB Audio",
    host_api="ALSA",
    direction="input",
    channels=2,
    sample_rate=48000,
    sample_rates=(44100, 48000),
    is_default=True,
)


def test_devices_are_listed_for_people_and_machines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codec.audio.cards.table.list_cards", lambda direction, probe_rates: [CARD])
    assert cli.main(["devices"]) == 0
    text = capsys.readouterr().out
    assert any(line.startswith("*") and "USB Audio" in line and "44100" in line for line in text.splitlines())
    assert "--input-device NAME" in text
    assert cli.main(["devices", "--json"]) == 0
    (device,) = json.loads(capsys.readouterr().out)
    assert (device["name"], device["default"], device["sample_rates"]) == ("USB Audio", True, [44100, 48000])


def test_no_microphone_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codec.audio.cards.table.list_cards", lambda direction, probe_rates: [])
    assert cli.main(["devices"]) == 0
    assert "No microphone found" in capsys.readouterr().out
    assert cli.main(["devices", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize("verb", ["print", "check"])
def test_config_takes_the_flags_of_run_and_starts_nothing(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config", verb, "--source", "mic", "--link", "lan", "--gain", "3"]) == 0
    assert capsys.readouterr().err == ""


def test_config_check_ends_with_78_where_run_would(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config", "check", "--frames-per-packet", "26", "--gain", "900"]) == 78
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert all(line.startswith("error: ") for line in errors)


def test_a_stream_id_with_a_slash_in_a_file_is_a_configuration_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[stream]\nname = "a/b"\n')
    assert cli.main(["run", "--source", "-", "--config", str(path)]) == 78
    assert "wrong setting: [stream]" in capsys.readouterr().err


def test_the_gateway_starts_without_torch_sound_card_or_matplotlib() -> None:
    heavy = "torch", "sounddevice", "matplotlib", "pystoi", "scipy", "edge_player"
    lines = f"import gateway.run, gateway.demo, sys\nprint([name for name in {heavy!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["+", "#", "a/b", "a/+", "../a", "Lobby", "a\n", "", "a" * 33])
def test_a_stream_whose_name_could_lead_elsewhere_is_refused_at_the_door(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", f"--stream={name}", "--source", "-"]) == 2
    assert "1 to 32 characters from a-z, 0-9 and -" in capsys.readouterr().err
