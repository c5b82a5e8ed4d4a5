"""Two TUN devices that join this network namespace with a far one, and the thread that carries packets between them."""

from __future__ import annotations

import fcntl
import math
import os
import select
import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.faults.impairment import Spell
from tests.faults.line import Line

NEAR_ADDRESS: Final = "10.77.0.1"
FAR_ADDRESS: Final = "10.77.0.2"
CONTROL: Final = Path("/dev/net/tun")

_TUNSETIFF: Final = 0x400454CA  # linux/if_tun.h
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_MTU: Final = 1500
_LOOK_S: Final = 0.5
_JOIN_S: Final = 2.0


class TunLink:
    """A link to a network namespace of its own, in which `far_command` runs programs. A context manager, not reusable.

    This process must be in a network namespace of its own already, and may make others (root, or root of a user
    namespace). The faults begin with `begin`; before, the link is clean.
    """

    def __init__(self, spells: Sequence[Spell], *, seed: int) -> None:
        self._lines = (Line(spells, seed=2 * seed), Line(spells, seed=2 * seed + 1))
        self._begun_at = math.inf
        self._devices: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="tun-link", daemon=True)
        self._holder: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._holder = _hold_namespace()
            self._devices = [_open_device("near"), _open_device("far")]
            _run("ip", "link", "set", "lo", "up")
            _run("ip", "link", "set", "far", "netns", str(self._holder.pid))
            _configure([], "near", NEAR_ADDRESS, FAR_ADDRESS)
            _configure(self.far_command, "far", FAR_ADDRESS, NEAR_ADDRESS)
            self._thread.start()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    @property
    def far_command(self) -> list[str]:
        """Goes before a command to run it at the far end; the process keeps its id."""
        assert self._holder is not None  # use it in a `with`
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net"]

    @property
    def lost(self) -> int:
        """Packets lost so far, both directions."""
        return sum(line.lost for line in self._lines)

    @property
    def passed(self) -> int:
        """Packets that came through so far, both directions."""
        return sum(line.passed for line in self._lines)

    @property
    def passed_bytes(self) -> int:
        """Of those packets, IP headers included."""
        return sum(line.passed_bytes for line in self._lines)

    def begin(self, at: float) -> None:
        """The faults' zero, by `time.monotonic`."""
        self._begun_at = at

    def _now(self) -> float:
        """Seconds after the faults begin; far in the past while nobody knows when."""
        return time.monotonic() - self._begun_at if math.isfinite(self._begun_at) else time.monotonic() - 1e9

    def _carry(self) -> None:
        poller = select.poll()
        lines = dict(zip(self._devices, self._lines, strict=True))
        other = dict(zip(self._devices, reversed(self._devices), strict=True))
        for device in self._devices:
            poller.register(device, select.POLLIN)
        while not self._stop.is_set():
            for device, _ in poller.poll(1000 * self._pause_s()):
                for packet in _read_all(device):
                    lines[device].put(self._now(), packet)
            for device, line in lines.items():
                for packet in line.take(self._now()):
                    os.write(other[device], packet)

    def _pause_s(self) -> float:
        dues = [line.next_at for line in self._lines if line.next_at is not None]
        return min(_LOOK_S, max(0.0, min(dues) - self._now())) if dues else _LOOK_S

    def _close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)
        for device in self._devices:
            os.close(device)
        self._devices = []
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait()


def _read_all(device: int) -> list[bytes]:
    """What waits, IPv4 only: neighbour discovery would take its share of a slow link."""
    packets: list[bytes] = []
    while True:
        try:
            packet = os.read(device, 65536)
        except BlockingIOError:
            return packets
        if packet and packet[0] >> 4 == 4:
            packets.append(packet)


def _open_device(name: str) -> int:
    device = os.open(CONTROL, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    except OSError:
        os.close(device)
        raise
    return device


def _configure(command: list[str], name: str, address: str, peer: str) -> None:
    _run(*command, "ip", "addr", "add", address, "peer", peer, "dev", name)
    _run(*command, "ip", "link", "set", name, "mtu", str(_MTU), "up")


def _hold_namespace() -> subprocess.Popen[bytes]:
    """A process that keeps a new network namespace alive; returns once it is in there."""
    ours = os.readlink("/proc/self/ns/net")
    holder = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "ip link set lo up; echo ready; exec sleep infinity"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    with holder.stdout:
        said = holder.stdout.readline()
    if said != b"ready\n" or os.readlink(f"/proc/{holder.pid}/ns/net") == ours:
        holder.kill()
        holder.wait()
        raise OSError("no network namespace could be made")
    return holder


def _run(*command: str) -> None:
    """OSError with what the command said where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
