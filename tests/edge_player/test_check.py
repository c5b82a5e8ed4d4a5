"""`edge-player check`: each part tried, each finding in words."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import edge_player.check
from edge_player.check import check_player
from edge_player.config import DecoderConfig, PlayerConfig, PlayoutConfig, SinkConfig
from edge_player.errors import SinkError
from edge_player.sinks import AudioSink, NullSink
from protocol.service import Finding
from protocol.transport import BrokerConfig


@pytest.fixture(scope="module")
def nobody() -> str:
    """An address at which no broker listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"mqtt://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def config(nobody: str, tmp_path: Path) -> PlayerConfig:
    """Without a decoder, which takes time to load, and without a broker."""
    missing = DecoderConfig(model=tmp_path / "none.onnx")
    return PlayerConfig(broker=BrokerConfig(url=nobody), decoder=missing, sink=SinkConfig(out="null"))


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocol.transport.waiting.probe_broker.__kwdefaults__", {"timeout_s": 0.3})


def findings(config: PlayerConfig, *, tone: bool = False) -> dict[str, Finding]:
    return {step.name: step.finding for step in check_player(config, tone=tone).steps}


class PlayedThrough:
    """Stands for `open_sink` and `play_through`: remembers what was played."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: SinkError | None = None) -> None:
        self.samples: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._error = error
        monkeypatch.setattr(edge_player.check, "open_sink", self._open)
        monkeypatch.setattr(edge_player.check, "play_through", self._play)

    def _open(self, config: SinkConfig, *, sample_rate: int) -> AudioSink:
        if self._error is not None:
            raise self._error
        return NullSink(48000)

    def _play(self, sink: AudioSink, samples: NDArray[np.float32]) -> float:
        self.samples = samples
        return 0.02


def test_every_part_is_tried_though_one_fails(config: PlayerConfig) -> None:
    found = findings(replace(config, decoder=DecoderConfig()))
    assert list(found) == ["engine", "decoder", "speed", "sink", "broker"]
    assert found["decoder"].detail.startswith("nano-1, weights ")
    assert re.search(r"entropy tables [0-9a-f]{16}, on cpu", found["decoder"].detail)
    assert found["speed"].figures["frame_ms_p95"]
    assert (found["broker"].verdict, found["broker"].exit_code) == ("failed", 69)


def test_a_decoder_that_is_missing_costs_the_other_steps_nothing(config: PlayerConfig) -> None:
    found = findings(config)
    assert list(found) == ["engine", "decoder", "sink", "broker"]
    assert found["decoder"].exit_code == 66


def test_a_sound_card_gets_a_moment_of_silence(config: PlayerConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    played = PlayedThrough(monkeypatch)
    found = findings(replace(config, sink=SinkConfig()))["sink"]
    assert found.verdict == "ok"
    assert "--tone plays one" in found.detail
    assert len(played.samples) == 9600
    assert not played.samples.any()
    assert found.figures == {"sample_rate": 48000, "latency_ms": 20.0}


def test_a_tone_is_played_at_the_volume_that_is_set(config: PlayerConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    played = PlayedThrough(monkeypatch)
    quiet = replace(config, sink=SinkConfig(), playout=PlayoutConfig(volume=50))
    assert "played 1 s of 440 Hz" in findings(quiet, tone=True)["sink"].detail
    assert len(played.samples) == 48000
    assert float(np.abs(played.samples).max()) == pytest.approx(0.25 / 8, abs=0.001)


@pytest.mark.parametrize(
    ("playout", "words"),
    [(PlayoutConfig(mute=True), "playout.mute is on"), (PlayoutConfig(volume=0), "playout.volume is 0")],
)
def test_a_player_that_would_not_be_heard_is_a_warning(
    config: PlayerConfig, monkeypatch: pytest.MonkeyPatch, playout: PlayoutConfig, words: str
) -> None:
    PlayedThrough(monkeypatch)
    found = findings(replace(config, sink=SinkConfig(), playout=playout), tone=True)["sink"]
    assert found.verdict == "warning"
    assert words in found.detail


def test_a_sound_card_that_is_missing_is_a_failure_with_a_remedy(
    config: PlayerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    PlayedThrough(monkeypatch, SinkError("There is no sound card that can play"))
    found = findings(replace(config, sink=SinkConfig()))["sink"]
    assert (found.verdict, found.exit_code) == ("failed", 74)
    assert "devices" in str(found.remedy)


def test_a_file_is_not_made_by_looking_whether_it_could_be(config: PlayerConfig, tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    assert findings(replace(config, sink=SinkConfig(out=str(path))))["sink"].detail == f"{path} can be written"
    assert not path.exists()
    path.write_bytes(b"RIFF")
    assert "will be gone" in findings(replace(config, sink=SinkConfig(out=str(path))))["sink"].detail
    assert path.read_bytes() == b"RIFF"


def test_a_file_in_no_directory_is_a_failure(config: PlayerConfig, tmp_path: Path) -> None:
    path = tmp_path / "none" / "out.wav"
    found = findings(replace(config, sink=SinkConfig(out=str(path))))["sink"]
    assert (found.verdict, found.exit_code) == ("failed", 74)
    assert "there is no directory" in found.detail


def test_a_directory_for_a_file_is_a_failure(config: PlayerConfig, tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    path.mkdir()
    assert "is a directory" in findings(replace(config, sink=SinkConfig(out=str(path))))["sink"].detail


@pytest.mark.parametrize("out", ["null", "-"])
def test_what_is_no_sound_card_is_noted_and_gets_no_tone(config: PlayerConfig, out: str) -> None:
    found = findings(replace(config, sink=SinkConfig(out=out)), tone=True)["sink"]
    assert found.verdict == "note"
    assert "the test tone is for a sound card" in found.detail
