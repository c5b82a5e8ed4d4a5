"""Both ends on a sound card that needs no hardware: real PortAudio and ALSA, a null sink of PulseAudio behind them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.demo.broker import RunningBroker
from tests.conftest import VirtualSoundCard

pytestmark = [pytest.mark.audio, pytest.mark.broker, pytest.mark.slow]

CAPTURE_RATE_HZ = 48_000


@pytest.fixture(autouse=True)
def _needs_portaudio(virtual_sound_card: VirtualSoundCard) -> None:
    answer = run(virtual_sound_card, "-c", "import sounddevice")
    if answer.returncode != 0:
        pytest.skip("no PortAudio: apt-get install libportaudio2")


def run(card: VirtualSoundCard, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=card.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("package", ["gateway", "edge_player"])
def test_devices_are_listed_with_the_default_one_marked(virtual_sound_card: VirtualSoundCard, package: str) -> None:
    answer = run(virtual_sound_card, "-m", package, "devices")
    assert answer.returncode == 0, answer.stderr
    assert any(line.startswith("*") and "default" in line for line in answer.stdout.splitlines())


def test_speech_comes_out_of_the_loudspeaker(
    virtual_sound_card: VirtualSoundCard, broker: RunningBroker, repository: Path, tmp_path: Path
) -> None:
    stats_file, heard_file = tmp_path / "player.json", tmp_path / "heard.raw"
    clip = repository / "gateway" / "assets" / "demo_speech.flac"
    common = ["--stream", "lobby", "--broker", broker.url]
    with heard_file.open("wb") as heard:
        recorder = subprocess.Popen(
            ["parec", f"--device={virtual_sound_card.monitor}", f"--rate={CAPTURE_RATE_HZ}", "--channels=1"],
            env=virtual_sound_card.environ,
            stdin=subprocess.DEVNULL,
            stdout=heard,
        )
        player = subprocess.Popen(
            [
                *(sys.executable, "-m", "edge_player", "run", *common, "--out", "speaker", "--wait", "--exit-on-stop"),
                *("--stats-file", str(stats_file)),
            ],
            env=virtual_sound_card.environ,
            stdin=subprocess.DEVNULL,
        )
        try:
            gateway = run(
                virtual_sound_card,
                *("-m", "gateway", "run", *common, "--source", str(clip), "--for", "4s", "--link", "lan"),
                *("--start-delay", "3s"),
            )
            assert gateway.returncode == 0, gateway.stderr
            assert player.wait(20.0) == 0
        finally:
            for process in (player, recorder):
                process.terminate()
                process.wait(10.0)
    stats: dict[str, Any] = json.loads(stats_file.read_text())
    assert stats["frames_due"] > 40
    assert stats["frames_played"] == stats["frames_due"]
    assert stats["frames_concealed"] == stats["frames_skipped"] == 0
    sound = np.frombuffer(heard_file.read_bytes(), dtype="<i2").astype(np.float64)
    loud_s = np.count_nonzero(np.abs(sound) > 100) / CAPTURE_RATE_HZ
    assert loud_s > 0.5, "the loudspeaker stayed silent"


def test_the_microphone_is_sent(virtual_sound_card: VirtualSoundCard, broker: RunningBroker, tmp_path: Path) -> None:
    stats_file = tmp_path / "gateway.json"
    gateway = run(
        virtual_sound_card,
        *("-m", "gateway", "run", "--stream", "lobby", "--broker", broker.url, "--source", "mic", "--for", "2s"),
        *("--link", "lan", "--stats-file", str(stats_file)),
    )
    assert gateway.returncode == 0, gateway.stderr
    stats: dict[str, Any] = json.loads(stats_file.read_text())
    assert 10 <= stats["frames_encoded"] <= 25  # a sound server may take a second to deliver its first block
    assert stats["frames_published"] == stats["frames_encoded"]
    assert stats["input_overflows"] == 0
