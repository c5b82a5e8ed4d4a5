"""PulseAudio of our own: no hardware, no system service, nothing of the user's own sound touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

NEEDS = "apt-get install pulseaudio pulseaudio-utils libasound2-plugins libportaudio2"
START_S = 15.0
STOP_S = 5.0
POLL_S = 0.05
COMMAND_S = 10.0

_FOREIGN = ("PULSE_", "PIPEWIRE_", "ALSA_", "DBUS_SESSION")


class SoundServerError(Exception):
    """The sound server did not start, or refused a command."""


def missing_programs() -> list[str]:
    """Those of PulseAudio's programs that are not installed; see NEEDS."""
    return [name for name in ("pulseaudio", "pactl", "pacat", "parec") if shutil.which(name) is None]


class SoundServer:
    """One PulseAudio daemon behind a socket in `folder`. A context manager, not reusable.

    `environ` is for child processes: PortAudio and ALSA read it once, when they start.
    """

    def __init__(self, folder: Path, *, alsa_devices: str = "") -> None:
        """`folder`: ours alone, short enough for a socket's name. `alsa_devices`: PCM definitions, where `{server}`
        stands for the address of this server."""
        self._folder = folder
        self._log = folder / "pulseaudio.log"
        socket = folder / "native"
        self.address = f"unix:{socket}"
        self._module = f"module-native-protocol-unix socket={socket} auth-anonymous=1"
        self._alsa = folder / "asound.conf"
        self._alsa_devices = alsa_devices.replace("{server}", self.address)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        self.environ: Mapping[str, str] = {
            **inherited,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "ALSA_CONFIG_PATH": str(self._alsa),
            "PULSE_SERVER": self.address,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self._alsa.write_text(f"</usr/share/alsa/alsa.conf>\nctl.!default {{ type pulse }}\n{self._alsa_devices}\n")
        command = [
            *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"),
            f"--load={self._module}",
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=dict(self.environ), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the daemon. Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def command(self, *words: str) -> str:
        """What `pactl` answers. Raises SoundServerError."""
        answer = self._pactl(*words)
        if answer.returncode != 0:
            raise SoundServerError(f"pactl {' '.join(words)}: {answer.stderr.strip()}")
        return answer.stdout

    def load(self, module: str, **arguments: str | int) -> int:
        """Load a module; returns its number."""
        words = [f"{name}={value}" for name, value in arguments.items()]
        return int(self.command("load-module", module, *words))

    def unload(self, module: int) -> None:
        """Unload a module; everything that plays on a card of its is thrown off."""
        self.command("unload-module", str(module))

    def _pactl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pactl", *words],
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            if self._pactl("info").returncode == 0:
                return
            time.sleep(POLL_S)
        raise SoundServerError(f"PulseAudio did not start:\n{self._log.read_text(errors='replace')}")
