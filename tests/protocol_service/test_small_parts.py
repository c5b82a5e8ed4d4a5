"""Identity, percentiles, counters, logging and common arguments."""

from __future__ import annotations

import argparse
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from protocol.service import (
    ExitCode,
    Percentiles,
    PercentileSnapshot,
    add_common_arguments,
    configure_logging,
    counters_snapshot,
    device_id,
    parse_duration,
)
from protocol.service import identity as identity_module


def test_exit_codes_are_the_documented_ones() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FAILURE": 1,
        "USAGE": 2,
        "NO_INPUT": 66,
        "BROKER_UNAVAILABLE": 69,
        "AUDIO_DEVICE": 74,
        "CODEC_MISMATCH": 76,
        "NOT_AUTHORISED": 77,
        "CONFIGURATION": 78,
        "INTERRUPTED": 130,
    }


def test_a_device_id_is_stable_and_fits_a_topic() -> None:
    assert device_id("edge") == device_id("edge")
    assert re.fullmatch(r"edge-[0-9a-f]{10}", device_id("edge"))
    assert len(device_id("x" * 21)) == 32


def test_a_device_id_differs_between_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    here = device_id("edge")
    monkeypatch.setattr("socket.gethostname", lambda: "another-host")
    assert device_id("edge") != here


def test_a_machine_without_machine_id_has_an_id_all_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    empty = tmp_path / "machine-id"
    empty.touch()
    monkeypatch.setattr(identity_module, "_MACHINE_ID_FILES", (tmp_path / "none", empty))
    assert device_id("edge") == device_id("edge")


@pytest.mark.parametrize("prefix", ["", "Edge", "a/b", "x" * 22])
def test_a_prefix_that_fits_no_topic_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        device_id(prefix)


def test_percentiles_are_exact_while_all_fit() -> None:
    percentiles = Percentiles()
    for value in range(101):
        percentiles.add(float(value))
    snapshot = percentiles.snapshot()
    assert snapshot == PercentileSnapshot(101, 50.0, 95.0, 99.0, 0.0, 100.0, 50.0)
    assert percentiles.count == 101


def test_percentiles_of_nothing_are_zero() -> None:
    assert Percentiles().snapshot() == PercentileSnapshot()


def test_the_reservoir_is_bounded_and_stays_representative() -> None:
    percentiles = Percentiles(capacity=500, seed=1)
    for value in range(100_000):
        percentiles.add(float(value))
    snapshot = percentiles.snapshot()
    assert snapshot.count == 100_000
    assert snapshot.maximum == 99_999.0
    assert abs(snapshot.p50 - 50_000) < 8_000
    assert abs(snapshot.p95 - 95_000) < 4_000


def test_what_is_not_a_number_spoils_nothing() -> None:
    percentiles = Percentiles()
    for value in (1.0, float("nan"), float("inf")):
        percentiles.add(value)
    assert percentiles.snapshot() == PercentileSnapshot(1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)


def test_a_reservoir_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        Percentiles(0)


@dataclass(slots=True)
class Counters:
    frames: int = 3
    seconds: float = 1.5
    open: bool = True
    name: str = "x"
    _hidden: int = 1


def test_counters_are_the_public_numbers() -> None:
    assert counters_snapshot(Counters()) == {"frames": 3, "seconds": 1.5}
    assert counters_snapshot(Counters(), prefix="wire_") == {"wire_frames": 3, "wire_seconds": 1.5}


@pytest.mark.parametrize("thing", [Counters, 5, "x"])
def test_only_instances_have_counters(thing: object) -> None:
    with pytest.raises(TypeError, match="dataclass instance"):
        counters_snapshot(thing)


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """Standard error; the root logger is as before afterwards."""
    root = logging.getLogger()
    level = root.level
    yield capsys
    for handler in [handler for handler in root.handlers if handler.get_name() == "voxwire"]:
        root.removeHandler(handler)
    root.setLevel(level)


def test_a_name_with_a_line_break_is_still_one_line_of_log(log: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json=False)
    logging.getLogger("gateway").info("file %s", "a\n2026-01-01 ERROR gateway: fake\x1b[31m.wav")
    (line,) = log.readouterr().err.splitlines()
    assert line.endswith(r"file a\n2026-01-01 ERROR gateway: fake\x1b[31m.wav")


def test_the_log_is_text_for_people(log: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json=False)
    logging.getLogger("gateway").info("started %s", "lobby")
    logging.getLogger("gateway").debug("not shown")
    assert re.fullmatch(r".* INFO +gateway: started lobby\n", log.readouterr().err)


def test_the_log_is_json_for_machines(log: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug", json=True)
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        logging.getLogger("gateway").warning("failed", exc_info=True, extra={"stream_id": "lobby"})
    entry = json.loads(log.readouterr().err)
    assert (entry["level"], entry["logger"], entry["message"]) == ("warning", "gateway", "failed")
    assert entry["stream_id"] == "lobby"
    assert "RuntimeError: boom" in entry["exception"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])


def test_configuring_again_replaces_and_does_not_double(log: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json=False)
    configure_logging("info", json=True)
    logging.getLogger("x").info("once")
    assert len(log.readouterr().err.splitlines()) == 1


def test_an_unknown_log_level_is_refused() -> None:
    with pytest.raises(ValueError, match="log level"):
        configure_logging("loud", json=False)


def test_every_command_has_the_common_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_common_arguments(parser)
    arguments = parser.parse_args(["--config", "x.toml", "--json", "--log-level", "debug"])
    assert (arguments.config, arguments.json, arguments.log_level) == (Path("x.toml"), True, "debug")
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("voxwire ")


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10.0), ("250ms", 0.25), ("1.5m", 90.0), ("2h", 7200.0), ("3", 3.0)]
)
def test_durations_are_read_with_their_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1d", "1 s s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="such as 10s"):
        parse_duration(text)
