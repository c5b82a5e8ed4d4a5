"""Real PortAudio and ALSA before PulseAudio: what fakes cannot prove of `codec.audio.cards`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.room.sound_server import SoundServer
from gateway.demo.broker import RunningBroker, start_broker
from tests.conftest import VirtualSoundCard

pytestmark = [pytest.mark.audio, pytest.mark.slow]

# Opens the default card in many ways; prints (rate, channels, blocks asked for, or the reason of a refusal).
TRIALS = """
import json, sys, threading
from codec.audio.cards import CardOptions, open_input, open_output
from codec.errors import SoundCardError
results = {}
def try_out(name, opener, **options):
    asked, enough = [], threading.Event()
    def take(samples, *_):
        asked.append(samples.shape)
        if len(asked) >= 20:
            enough.set()
    try:
        stream = opener(CardOptions(**options), take, block_s=0.02)
        stream.start()
        ran = enough.wait(10.0)
        results[name] = [stream.sample_rate, stream.channels, asked[0], ran and stream.active, stream.latency_s]
        stream.close()
        assert not stream.active
    except SoundCardError as error:
        results[name] = [error.reason, str(error)]
for rate in (16000, 44100, 48000, 96000):
    try_out(str(rate), open_output, sample_rate=rate)
try_out("eight", open_output, channels=(8, 1))
try_out("input", open_input, sample_rate=44100, channels=(2,))
try_out("absurd", open_output, sample_rate=999999)
try_out("exclusive", open_output, exclusive=True)
try_out("unknown", open_output, device="bluetooth")
print(json.dumps(results))
"""


def run_python(card: VirtualSoundCard, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env=card.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(autouse=True)
def _needs_portaudio(virtual_sound_card: VirtualSoundCard) -> None:
    if run_python(virtual_sound_card, "import sounddevice").returncode != 0:
        pytest.skip("no PortAudio: apt-get install libportaudio2")


def test_a_card_is_opened_at_every_usual_rate_and_refusals_make_no_noise(
    virtual_sound_card: VirtualSoundCard,
) -> None:
    answer = run_python(virtual_sound_card, TRIALS)
    assert answer.returncode == 0, answer.stderr
    results: dict[str, list[Any]] = json.loads(answer.stdout)
    for rate in (16000, 44100, 48000, 96000):
        sample_rate, channels, shape, ran, latency_s = results[str(rate)]
        assert (sample_rate, channels, shape, ran) == (rate, 2, [rate // 50], True)
        assert 0.0 < latency_s < 0.5
    assert results["eight"][1:4] == [8, [960], True]
    assert results["input"][:4] == [44100, 2, [882, 1], True]
    assert results["absurd"][0] == "format"
    assert "it takes 16000, 44100, 48000, 96000 Hz" in results["absurd"][1]
    assert results["exclusive"][0] == "format"
    assert results["unknown"][0] == "missing"
    assert answer.stderr == "", "ALSA and PortAudio complain to the debug log"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with start_broker(folder) as running:
        yield running


@pytest.mark.broker
@pytest.mark.usefixtures("sound_server_programs")
def test_a_player_ends_in_time_while_its_sound_server_hangs(
    broker: RunningBroker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("hung")
    with SoundServer(folder, alsa_devices="pcm.!default { type pulse }") as server:
        server.load("module-null-sink", sink_name="speaker", rate=48000, norewinds=1)
        server_process = server._process
        assert server_process is not None
        log = folder / "player.log"
        with log.open("wb") as file:
            player = subprocess.Popen(
                [
                    *(sys.executable, "-m", "edge_player", "run", "--stream", "lobby", "--broker", broker.url),
                    *("--out", "speaker", "--wait"),
                ],
                env=dict(server.environ),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        try:
            _wait_for(log, "playing lobby")
            server_process.send_signal(signal.SIGSTOP)
            _wait_for(log, "the sound card default has gone")
            player.terminate()
            assert player.wait(15.0) == 0
        finally:
            server_process.send_signal(signal.SIGCONT)
            player.kill()
            player.wait()
        said = log.read_text()
        assert "Traceback" not in said
        assert "does not answer" in said


def _wait_for(log: Path, words: str, *, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while words not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
