"""The connections of one player as one link: the first, over which it hears everything and speaks, and its spares."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add

from protocol.service import Stats, WatchedPart
from protocol.transport import BrokerConfig, Connection, ConnectionState, WireCounters

logger = logging.getLogger(__name__)

_SUMMED = (
    "messages_unmatched", "messages_oversize", "subscriptions_refused", "publishes_refused", "handler_errors",
    "callback_errors",
)  # fmt: skip
_SPARE_STOP_S = 0.2
"""For a spare to take its leave; nobody waits for what it says."""


def spare_config(config: BrokerConfig, number: int) -> BrokerConfig:
    """Of connection `number`, 2 or more: the login of the first, which has a client id, and a client id of its own.

    The same addresses in the same order: a second broker may not have the stream.
    """
    return dataclasses.replace(config, client_id=f"{config.client_id}_{number}")


class Links:
    """Spares bring token packets and nothing else: they have no will, publish nothing and start once a stream is known.

    Each connection reconnects by itself. Whether the broker is there, and what it refuses, is judged by the first; a
    spare that is refused tries again as seldom as any, and is missed by nobody.
    """

    def __init__(self, first: Connection, spares: Sequence[Connection] = ()) -> None:
        self.first = first
        self.spares = tuple(spares)
        self._running: tuple[Connection, ...] = ()
        self._given_up = 0

    @property
    def state(self) -> ConnectionState:
        """CONNECTED while any of them is: packets can be expected."""
        states = [connection.state for connection in self._all]
        return ConnectionState.CONNECTED if ConnectionState.CONNECTED in states else self.first.state

    @property
    def keepalive_s(self) -> int:
        """The longest that holds on any of them, seconds."""
        return max(connection.keepalive_s for connection in self._all)

    def resubscribe(self) -> None:
        """On all of them."""
        for connection in self._all:
            connection.resubscribe()

    def reconnect(self) -> None:
        """All of them: what is silent, or too old, came over none."""
        for connection in self._all:
            connection.reconnect()

    def probe_after(self, seconds: int | None) -> None:
        """On all of them: in a pause nothing comes over any, heartbeats over the first aside."""
        for connection in self._all:
            connection.probe_after(seconds)

    def start_spares(self) -> None:
        """Begin, once; harmless when repeated. Main thread, as all below."""
        if not self._running and not self._given_up:
            self._running = self.spares
            for spare in self._running:
                spare.start()

    def look(self) -> None:
        """Give the spares up where the first was thrown out by who has its client id: that may well be one of them.

        Brokers that make the client id from user name or certificate let a login connect once.
        """
        taken = self.first.client_id_taken
        if taken is None or not self._running:
            return
        for spare in self._running:
            spare.stop(0.0)
        self._given_up += len(self._running)
        self._running = ()
        self.first.forget_client_id_taken()
        logger.warning(
            "%s; going on with one connection: where the broker makes the client id from the user name or the "
            "certificate, link.connections has to be 1",
            taken,
        )

    def stop_spares(self) -> None:
        """Close them for good."""
        for spare in self.spares:
            spare.stop(_SPARE_STOP_S)

    def wire(self) -> WireCounters | None:
        """Bytes and segments of all of them so far; None where the kernel does not tell."""
        readings = [connection.wire() for connection in self._all]
        known = [reading for reading in readings if reading is not None]
        return reduce(add, known) if len(known) == len(readings) else None

    def stats(self) -> Stats:
        """Counters: connects of the first and of the spares apart, what was refused, dropped or failed of all."""
        first, *spares = (connection.stats() for connection in self._all)
        return {
            "connects": first.connects,
            "disconnects": first.disconnects,
            "spare_connects": sum(spare.connects for spare in spares),
            "spare_disconnects": sum(spare.disconnects for spare in spares),
            "spare_connect_failures": sum(spare.connect_failures for spare in spares),
            "spares_given_up": self._given_up,
            **{name: sum(getattr(stats, name) for stats in (first, *spares)) for name in _SUMMED},
        }

    def parts(self) -> Iterator[WatchedPart]:
        """The network threads, for who watches whether they get round."""
        for number, connection in enumerate(self._all, start=1):
            yield _watched("network thread" if number == 1 else f"network thread {number}", connection)

    @property
    def _all(self) -> tuple[Connection, ...]:
        return (self.first, *self.spares)


def _watched(name: str, connection: Connection) -> WatchedPart:
    return WatchedPart(name, lambda: connection.turns, lambda: connection.failure)
