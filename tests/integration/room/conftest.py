"""A room with a broker in it, for tests in which both ends are processes on a virtual sound card."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.room.ends import Ends
from benchmarks.room.virtual_room import VirtualRoom
from gateway.demo.broker import RunningBroker


@pytest.fixture
def room(tmp_path: Path, sound_server_programs: None) -> Iterator[VirtualRoom]:
    """A virtual room of its own for one test, its card plugged in."""
    with VirtualRoom(tmp_path / "room") as built:
        answer = subprocess.run(
            [sys.executable, "-c", "import sounddevice"], env=dict(built.environ), capture_output=True, check=False
        )
        if answer.returncode != 0:
            pytest.skip("no PortAudio: apt-get install libportaudio2")
        yield built


@pytest.fixture
def ends(room: VirtualRoom, mosquitto: RunningBroker, tmp_path: Path) -> Iterator[Ends]:
    """Makes gateways and players in the room, over Mosquitto; what still runs at the end is killed."""
    with Ends("room", mosquitto.url, folder=tmp_path, environ=room.environ) as making:
        yield making
