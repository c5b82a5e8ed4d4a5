"""Does to processes, clocks, disks and cards what a row says, when it is time."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable

from tests.faults.faults import ClockStep, FullDisk, ProcessFault, UnpluggedCard
from tests.faults.rows import Row
from tests.faults.victims import Victims

Step = tuple[float, Callable[[], object]]


def first_fault_after_s(seed: int) -> float:
    """Seconds of undisturbed sound before the faults: another phase of packets and pings for each seed."""
    return 2.0 + 2.0 * random.Random(seed).random()


class Nemesis:
    """Plays the faults of one row; `tick` is called again and again with the seconds since they began."""

    def __init__(self, row: Row, victims: Victims) -> None:
        self._victims = victims
        self._steps: list[Step] = []
        for fault in row.faults:
            match fault:
                case ProcessFault(target="broker"):
                    self._steps += self._plan_broker(fault)
                case ProcessFault():
                    self._steps += self._plan_end(fault)
                case ClockStep():
                    self._steps += self._plan_clock(fault)
                case FullDisk():
                    self._steps += self._plan_disk(fault)
                case UnpluggedCard():
                    self._steps += self._plan_card(fault)
        self._steps.sort(key=lambda step: step[0])

    def tick(self, now: float) -> None:
        """Do what is due."""
        while self._steps and self._steps[0][0] <= now:
            self._steps.pop(0)[1]()

    def _plan_end(self, fault: ProcessFault) -> list[Step]:
        end = self._victims.gateway if fault.target == "gateway" else self._victims.player
        if fault.action == "stop":
            return [(0.0, lambda: end.send(signal.SIGSTOP)), (fault.lasting_s, lambda: end.send(signal.SIGCONT))]
        return [(0.0, end.close), (fault.lasting_s, end.start)]

    def _plan_broker(self, fault: ProcessFault) -> list[Step]:
        broker = self._victims.broker
        if fault.action == "stop":
            return [(0.0, lambda: broker.send(signal.SIGSTOP)), (fault.lasting_s, lambda: broker.send(signal.SIGCONT))]
        first = broker.kill if fault.action == "kill" else broker.terminate
        return [(0.0, first), (fault.lasting_s, broker.start_again)]

    def _plan_clock(self, step: ClockStep) -> list[Step]:
        clock = self._victims.clocks[step.owner]
        return [(step.at_s, lambda: clock.show(step.offset_s))]

    def _plan_disk(self, fault: FullDisk) -> list[Step]:
        disk = self._victims.disk
        assert disk is not None  # the scene makes one for such a row
        return [(0.0, disk.fill), (fault.lasting_s, disk.free)]

    def _plan_card(self, fault: UnpluggedCard) -> list[Step]:
        room = self._victims.room
        assert room is not None  # the scene makes one for such a row
        return [(0.0, room.unplug), (fault.lasting_s, room.plug)]
