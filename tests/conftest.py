"""What the whole suite shares. Helpers of one package stand in that package's own conftest.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SOUND_SERVER_START_S = 10.0
REAL_PARTS = ("broker", "audio")
"""Marks of tests that need a program or a library beside Python: Mosquitto, PulseAudio, PortAudio."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where CI=true a part that is missing fails the test: a build machine that skips proves nothing."""
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and os.environ.get("CI") == "true" and any(item.get_closest_marker(mark) for mark in REAL_PARTS):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"may not be skipped where CI=true: {reason}"
    return report


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this checkout."""
    return REPOSITORY


@pytest.fixture(scope="session", autouse=True)
def _checkout_first_on_the_path_of_child_processes() -> None:
    """`python -m gateway` in a child must mean this checkout, from whatever folder the child starts in."""
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(REPOSITORY) if not inherited else f"{REPOSITORY}{os.pathsep}{inherited}"


@pytest.fixture(autouse=True)
def _no_settings_from_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own VOXWIRE_* settings must not decide whether a test passes."""
    for name in [name for name in os.environ if name.startswith("VOXWIRE_")]:
        monkeypatch.delenv(name)


@dataclass(frozen=True, slots=True)
class VirtualSoundCard:
    """A loudspeaker that nobody hears, and a microphone that hears it and nothing else.

    `environ` is for child processes: PortAudio reads it once, when it starts, so this process is no place for it.
    """

    environ: dict[str, str]
    sink: str
    monitor: str


@pytest.fixture(scope="session")
def virtual_sound_card(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualSoundCard]:
    """PulseAudio of our own with a null sink, behind ALSA's default device; skips where its packages are missing."""
    if shutil.which("pulseaudio") is None or shutil.which("pactl") is None:
        pytest.skip("no PulseAudio: apt-get install pulseaudio pulseaudio-utils libasound2-plugins libportaudio2")
    folder = tmp_path_factory.mktemp("sound")
    folder.chmod(0o700)
    socket, asound = folder / "native", folder / "asound.conf"
    asound.write_text("</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n")
    environ = {
        **os.environ,
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "ALSA_CONFIG_PATH": str(asound),
        "PULSE_SERVER": f"unix:{socket}",
        "PULSE_SINK": "speaker",
        "PULSE_SOURCE": "speaker.monitor",
    }
    command = [
        *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"),
        f"--load=module-native-protocol-unix socket={socket} auth-anonymous=1",
        "--load=module-null-sink sink_name=speaker rate=48000",
    ]
    with (folder / "pulseaudio.log").open("wb") as log:
        server = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _wait_for_sound_server(server, environ, folder / "pulseaudio.log")
            yield VirtualSoundCard(environ=environ, sink="speaker", monitor="speaker.monitor")
        finally:
            server.terminate()
            try:
                server.wait(5.0)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_for_sound_server(server: subprocess.Popen[bytes], environ: dict[str, str], log: Path) -> None:
    deadline = time.monotonic() + SOUND_SERVER_START_S
    while time.monotonic() < deadline and server.poll() is None:
        answer = subprocess.run(["pactl", "list", "short", "sinks"], env=environ, capture_output=True, check=False)
        if answer.returncode == 0 and b"speaker" in answer.stdout:
            return
        time.sleep(0.1)
    pytest.fail(f"PulseAudio did not start:\n{log.read_text(errors='replace')}")
