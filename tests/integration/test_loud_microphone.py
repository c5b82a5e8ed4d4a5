"""A microphone that is too loud, on a card that needs no hardware."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.demo.broker import RunningBroker
from tests.conftest import VirtualSoundCard

pytestmark = [pytest.mark.audio, pytest.mark.broker, pytest.mark.slow]

RATE_HZ = 48_000
TALKS_S = 10.0


@pytest.fixture
def _loud_talker(virtual_sound_card: VirtualSoundCard, tmp_path: Path) -> Iterator[None]:
    """A tone into the card, cut off at full scale, for as long as the test runs."""
    path = tmp_path / "loud.raw"
    tone = np.clip(2.0 * np.sin(2 * np.pi * 300 * np.arange(30 * RATE_HZ) / RATE_HZ), -1, 1)
    path.write_bytes((tone * 32767).astype("<i2").tobytes())
    pcm = ("--raw", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1")
    talker = subprocess.Popen(
        ["pacat", *pcm, "--latency-msec=100", f"--device={virtual_sound_card.sink}", str(path)],
        env=virtual_sound_card.environ,
    )
    try:
        _wait_until_loud(virtual_sound_card, pcm)
        yield
    finally:
        talker.terminate()
        talker.wait(10.0)


def _wait_until_loud(card: VirtualSoundCard, pcm: tuple[str, ...]) -> None:
    """A null sink that was idle has silence for two seconds ahead of whoever begins to play."""
    deadline = time.monotonic() + TALKS_S
    command = ["parec", *pcm, "--latency-msec=50", f"--device={card.monitor}"]
    with subprocess.Popen(command, env=card.environ, stdout=subprocess.PIPE) as ear:
        assert ear.stdout is not None
        try:
            while np.frombuffer(ear.stdout.read(RATE_HZ // 5), dtype="<i2").max(initial=0) < 30_000:
                assert time.monotonic() < deadline, "the talker is not heard"
        finally:
            ear.terminate()


@pytest.mark.usefixtures("_loud_talker")
def test_clipping_is_said_once_and_counted_and_the_limiter_works(
    virtual_sound_card: VirtualSoundCard, broker: RunningBroker, tmp_path: Path
) -> None:
    stats_file = tmp_path / "gateway.json"
    gateway = subprocess.run(
        [
            *(sys.executable, "-m", "gateway", "run", "--stream", "lobby", "--broker", broker.url, "--source", "mic"),
            *("--link", "lan", "--for", "2s", "--limiter", "--high-pass", "80", "--stats-file", str(stats_file)),
        ],
        env=virtual_sound_card.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert gateway.returncode == 0, gateway.stderr
    assert gateway.stderr.count("input too loud, clipping detected: microphone default") == 1
    assert "dBFS" not in gateway.stderr  # no meter where no terminal watches
    stats: dict[str, Any] = json.loads(stats_file.read_text())
    assert stats["source"] == "microphone default"
    assert stats["input_clipped_samples"] > RATE_HZ / 2  # two thirds of a sine at twice full scale, of at least 1 s
    assert stats["input_clipping_episodes"] == 1
    assert stats["input_peak_dbfs"] == -1  # what the limiter leaves
    assert stats["conditioning_limited_ms"] > 500
    assert stats["input_device_losses"] == stats["input_overflows"] == 0
