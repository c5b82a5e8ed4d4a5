"""What the nemesis does to processes, clocks, disks and cards, and when. Values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.faults.clocks import ClockOwner

Target = Literal["broker", "gateway", "player"]
Action = Literal["kill", "stop", "restart"]


@dataclass(frozen=True, slots=True)
class ProcessFault:
    """kill: SIGKILL, and started again `lasting_s` later. stop: SIGSTOP, and SIGCONT `lasting_s` later. restart: as
    kill, by SIGTERM. A broker that starts again knows nothing of before. ValueError for what the nemesis does not play:
    a player that starts again would count from 0, and recovery could not be read.
    """

    action: Action
    target: Target
    lasting_s: float = 0.0

    def __post_init__(self) -> None:
        if (self.action == "restart" and self.target != "broker") or (
            self.action == "kill" and self.target == "player"
        ):
            raise ValueError(f"{self.action} of the {self.target} is not played by the nemesis")


@dataclass(frozen=True, slots=True)
class ClockStep:
    """`at_s` seconds after the faults begin, the UTC of an end jumps until it is `offset_s` ahead of the truth."""

    owner: ClockOwner
    at_s: float
    offset_s: float

    @property
    def lasting_s(self) -> float:
        """Until it is over, seconds after the faults begin."""
        return self.at_s


@dataclass(frozen=True, slots=True)
class FullDisk:
    """The disk that holds the logs, the counters and what the player beside records takes no more; then it does."""

    lasting_s: float


@dataclass(frozen=True, slots=True)
class UnpluggedCard:
    """The sound card of the player is pulled out, and put back."""

    lasting_s: float


Fault = ProcessFault | ClockStep | FullDisk | UnpluggedCard
