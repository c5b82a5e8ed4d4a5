"""A broker that dies under hundreds of players: how long until every one of them is back and hears again.

Five hundred whole players would need 35 GB. What matters to the broker is their connections, and those are real: the
transport of the player, with its back-off, its subscriptions made anew and its network thread, five hundred times.
"""

from __future__ import annotations

import argparse
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.harness import RESULTS, describe_machine, percentile
from protocol.topics import Topics
from protocol.transport import BrokerConfig, Connection, Message
from tests.faults.broker import FaultyBroker

PLAYERS: Final = 500
LIMIT_S: Final = 15.0
"""All are back within this after the broker is."""

AWAY_S: Final = 2.0
PACKET_S: Final = 0.25
PACKET: Final = b"\x00" * 34
GATHER_S: Final = 60.0
TOPIC: Final = Topics().tokens("storm", 0)


@dataclass(frozen=True, slots=True)
class Storm:
    """back_s: when each player that came back heard again, after the broker did, in order. connects: of all of them,
    those of the beginning included."""

    players: int
    back_s: tuple[float, ...]
    connects: int

    @property
    def kept(self) -> bool:
        """Whether all came back in time."""
        return len(self.back_s) == self.players and self.back_s[-1] <= LIMIT_S

    @property
    def sentence(self) -> str:
        """One line of figures."""
        half, most, last = (
            (percentile(self.back_s, 50), percentile(self.back_s, 99), self.back_s[-1]) if self.back_s else (0.0,) * 3
        )
        return (
            f"storm: {len(self.back_s)} of {self.players} players back, half after {half:.1f} s, "
            f"99 % after {most:.1f} s, the last after {last:.1f} s (limit {LIMIT_S:.0f} s); "
            f"{self.connects} connections in all"
        )


class _Ear:
    """When a player last heard something."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.heard_at = 0.0
        self.first_after: float | None = None
        self._after = float("inf")
        connection.subscribe(TOPIC, 0, self._hear)

    def listen_after(self, at: float) -> None:
        """Note the first message that comes after `at`."""
        self.first_after, self._after = None, at

    def _hear(self, message: Message) -> None:
        """On the network thread."""
        self.heard_at = message.received_at
        if self.first_after is None and message.received_at >= self._after:
            self.first_after = message.received_at


class _Voice:
    """Publishes a packet every PACKET_S, broker or not."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._speak, name="voice")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _speak(self) -> None:
        while not self._stopping.wait(PACKET_S):
            self._connection.publish(TOPIC, PACKET, qos=0)


def raise_storm(folder: Path, *, players: int, away_s: float = AWAY_S) -> Storm:
    """Kill the broker under so many players, start it again `away_s` later, and wait until all hear, or LIMIT_S.

    Raises TimeoutError where they were not all there to begin with.
    """
    broker = FaultyBroker(folder, far_address=None)
    try:
        with ExitStack() as stack:
            ears = [
                _Ear(stack.enter_context(Connection(BrokerConfig(broker.url, client_id=f"storm-{number}"))))
                for number in range(players)
            ]
            voice = stack.enter_context(Connection(BrokerConfig(broker.url, client_id="storm-voice")))
            stack.enter_context(_Voice(voice))
            if not _wait(lambda: all(ear.heard_at for ear in ears), GATHER_S):
                raise TimeoutError(f"{sum(bool(ear.heard_at) for ear in ears)} of {players} players came at all")
            broker.kill()
            time.sleep(away_s)  # the broker is away for so long: this is the fault itself
            broker.start_again()
            back_at = time.monotonic()
            for ear in ears:
                ear.listen_after(back_at)
            _wait(lambda: all(ear.first_after is not None for ear in ears), LIMIT_S + 5.0)
            return Storm(
                players,
                tuple(sorted(ear.first_after - back_at for ear in ears if ear.first_after is not None)),
                sum(ear.connection.stats().connects for ear in ears),
            )
    finally:
        broker.close()


def _wait(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m tests.faults.storm`: one line of figures; exit code 1 when somebody was not back in time."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.storm", description=__doc__)
    parser.add_argument("--players", type=int, default=PLAYERS)
    parser.add_argument("--out", type=Path, default=RESULTS / "storm.json", metavar="FILE")
    given = parser.parse_args(argv)
    logging.getLogger("protocol").setLevel(logging.ERROR)  # hundreds say at once that the broker is gone
    machine = describe_machine(["paho-mqtt"])
    with TemporaryDirectory() as folder:
        storm = raise_storm(Path(folder), players=given.players)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"machine": machine, **asdict(storm)}, indent=1) + "\n")
    print(storm.sentence)
    return 0 if storm.kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
