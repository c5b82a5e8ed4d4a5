"""Does to processes what a row says, when it is time."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable

from tests.faults.broker import FaultyBroker
from tests.faults.end import End
from tests.faults.rows import ProcessFault, Row


def first_fault_after_s(seed: int) -> float:
    """Seconds of undisturbed sound before the faults: another phase of packets and pings for each seed."""
    return 2.0 + 2.0 * random.Random(seed).random()


class Nemesis:
    """Plays the process faults of one row; `tick` is called again and again with the seconds since they began."""

    def __init__(self, row: Row, *, broker: FaultyBroker, gateway: End, player: End) -> None:
        self._broker = broker
        self._ends = {"gateway": gateway, "player": player}
        self._steps: list[tuple[float, Callable[[], None]]] = []
        for fault in row.faults:
            self._steps += self._plan(fault)
        self._steps.sort(key=lambda step: step[0])

    def tick(self, now: float) -> None:
        """Do what is due."""
        while self._steps and self._steps[0][0] <= now:
            self._steps.pop(0)[1]()

    def _plan(self, fault: ProcessFault) -> list[tuple[float, Callable[[], None]]]:
        if fault.target == "broker":
            return self._plan_broker(fault)
        end = self._ends[fault.target]
        if fault.action == "stop":
            return [(0.0, lambda: end.send(signal.SIGSTOP)), (fault.lasting_s, lambda: end.send(signal.SIGCONT))]
        return [(0.0, end.close), (fault.lasting_s, end.start)]

    def _plan_broker(self, fault: ProcessFault) -> list[tuple[float, Callable[[], None]]]:
        broker = self._broker
        if fault.action == "stop":
            return [(0.0, lambda: broker.send(signal.SIGSTOP)), (fault.lasting_s, lambda: broker.send(signal.SIGCONT))]
        first = broker.kill if fault.action == "kill" else broker.terminate
        return [(0.0, first), (fault.lasting_s, broker.start_again)]
