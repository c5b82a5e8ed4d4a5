"""`gateway check`: each part tried, each finding in words."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pytest
import soundfile

import gateway.check
from codec.errors import SoundCardError
from codec.session import Encoder
from gateway.check import check_gateway
from gateway.config import CodecConfig, GatewayConfig, SourceConfig, StreamConfig
from gateway.run import open_encoder
from gateway.sources import AudioBlock
from protocol.service import CheckStep, PathOrName
from protocol.transport import BrokerConfig
from tests.detector import detector


class Microphone:
    """A source that gives what a test wants."""

    live = True
    description = "microphone USB"
    overflows = 0
    counters: Mapping[str, int] = {}

    def __init__(self, samples: np.ndarray, *, blocks: int = 100) -> None:
        self._samples = samples.astype(np.float32)
        self._blocks = blocks

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def blocks(self, stop: threading.Event) -> Iterator[AudioBlock]:
        for _ in range(self._blocks):
            if stop.is_set():
                return
            yield AudioBlock(self._samples)
        stop.wait()


@pytest.fixture(scope="module")
def nobody() -> str:
    """An address at which no broker listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"mqtt://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def config(nobody: str) -> GatewayConfig:
    return GatewayConfig(broker=BrokerConfig(url=nobody), source=SourceConfig(target="mic"))


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return open_encoder(CodecConfig())


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch, encoder: Encoder) -> None:
    """Short waits, and the packaged encoder loaded once."""

    def load(codec: CodecConfig) -> Encoder:
        return encoder if codec.model is None else open_encoder(codec)

    monkeypatch.setattr(gateway.check, "open_encoder", load)
    monkeypatch.setattr("protocol.transport.waiting.probe_broker.__kwdefaults__", {"timeout_s": 0.3})
    monkeypatch.setattr(gateway.check, "PATIENCE_S", 0.2)


def use(monkeypatch: pytest.MonkeyPatch, source: object) -> None:
    def select(*arguments: object, **options: object) -> object:
        if isinstance(source, Exception):
            raise source
        return source

    monkeypatch.setattr(gateway.check, "select_source", select)


def steps(config: GatewayConfig) -> dict[str, CheckStep]:
    return {step.name: step for step in check_gateway(config).steps}


def test_every_part_is_tried_though_one_fails(config: GatewayConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Microphone(np.full(160, 0.1)))
    found = steps(config)
    assert list(found) == ["engine", "encoder", "speed", "source", "broker"]
    assert found["encoder"].finding.detail.startswith("nano-1, weights ")
    assert found["speed"].finding.figures["real_time_factor"]
    assert (found["broker"].ok, found["broker"].finding.exit_code) == (False, 69)


def test_the_microphone_is_heard_for_a_second(config: GatewayConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Microphone(np.full(1600, 0.1), blocks=1000))
    found = steps(config)["source"].finding
    assert found.detail == "microphone USB, 1.0 s heard: peaks at -20 dBFS, level -20 dBFS"


def test_a_muted_microphone_is_a_warning_with_a_remedy(config: GatewayConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Microphone(np.zeros(1600)))
    found = steps(config)["source"].finding
    assert found.verdict == "warning"
    assert "silent: muted?" in found.detail
    assert "unmute it" in str(found.remedy)


def test_clipping_is_detected(config: GatewayConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Microphone(np.clip(2 * np.sin(np.arange(1600) / 20), -1, 1)))
    assert "input too loud, clipping detected" in steps(config)["source"].finding.detail


def test_a_microphone_that_gives_nothing_is_a_failure(config: GatewayConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Microphone(np.zeros(0), blocks=0))
    found = steps(config)["source"].finding
    assert (found.verdict, found.exit_code) == ("failed", 66)
    assert "gave no sound within" in found.detail


def test_a_missing_microphone_fails_where_it_was_asked_for(
    config: GatewayConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, SoundCardError("There is no sound card that can record", reason="missing"))
    found = steps(config)["source"].finding
    assert (found.verdict, found.exit_code) == ("failed", 74)


def test_a_missing_microphone_is_only_noted_where_no_source_was_given(
    config: GatewayConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, SoundCardError("There is no sound card that can record", reason="missing"))
    found = steps(replace(config, source=SourceConfig()))["source"].finding
    assert (found.verdict, found.remedy) == ("note", "name one with --source")


def test_standard_input_is_left_alone(config: GatewayConfig) -> None:
    found = steps(replace(config, source=SourceConfig(target="-")))["source"].finding
    assert found.verdict == "note"


def test_a_file_is_read_for_a_second(config: GatewayConfig, tmp_path: Path) -> None:
    path = tmp_path / "talk.wav"
    soundfile.write(path, np.full(48000, 0.5), 16000)
    found = steps(replace(config, source=SourceConfig(target=str(path))))["source"].finding
    assert found.verdict == "ok"
    assert "peaks at -6 dBFS" in found.detail


def test_a_model_that_is_missing_costs_the_other_steps_nothing(config: GatewayConfig, tmp_path: Path) -> None:
    wrong = replace(config, codec=CodecConfig(model=PathOrName(tmp_path / "none")), source=SourceConfig(target="-"))
    found = steps(wrong)
    assert list(found) == ["engine", "encoder", "source", "broker"]
    assert found["encoder"].finding.exit_code == 66


@detector
def test_a_stream_that_is_silent_in_pauses_needs_its_detector(config: GatewayConfig) -> None:
    quiet = replace(config, source=SourceConfig(target="-"), stream=StreamConfig(silence="on"))
    found = steps(quiet)
    assert list(found) == ["engine", "encoder", "speed", "source", "pauses", "broker"]
    assert found["pauses"].ok


def test_a_missing_detector_fails_with_what_to_install(config: GatewayConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    quiet = replace(config, source=SourceConfig(target="-"), stream=StreamConfig(silence="on"))
    found = steps(quiet)["pauses"].finding
    assert (found.verdict, found.exit_code) == ("failed", 78)
    assert "pip install 'voxwire[silence]'" in found.detail
