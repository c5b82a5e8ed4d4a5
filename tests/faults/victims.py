"""What the nemesis can hit, as far as it needs to know it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.room.virtual_room import VirtualRoom
from tests.faults.clocks import FalseClock
from tests.faults.disk import Disk


class Started(Protocol):
    """A process that can be started."""

    def start(self) -> None:
        """A new process."""

    def send(self, number: signal.Signals) -> None:
        """A signal."""

    def close(self) -> None:
        """Kill it."""


class Served(Protocol):
    """A server that comes back on the same ports."""

    def kill(self) -> None:
        """SIGKILL."""

    def terminate(self) -> None:
        """SIGTERM, and wait."""

    def start_again(self) -> None:
        """With nothing in its memory."""

    def send(self, number: signal.Signals) -> None:
        """A signal."""

    def close(self) -> None:
        """End it, stopped or not."""


@dataclass(frozen=True, slots=True)
class Victims:
    """clocks: by owner. disk, room: None where the row has none."""

    broker: Served
    gateway: Started
    player: Started
    clocks: Mapping[str, FalseClock] = field(default_factory=dict)
    disk: Disk | None = None
    room: VirtualRoom | None = None
