"""Several connections as one link: what is asked of all, who is given up, and what is added up."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import cast

import pytest

from edge_player.intake.links import Links, spare_config
from protocol.transport import BrokerConfig, Connection, ConnectionState, TransportStats, WireCounters


@dataclass
class FakeConnection:
    """A connection that notes what is asked of it."""

    state: ConnectionState = ConnectionState.CONNECTED
    keepalive_s: int = 5
    counters: TransportStats = field(default_factory=TransportStats)
    counted: WireCounters | None = field(default_factory=WireCounters)
    client_id_taken: str | None = None
    turns: int | None = 1
    failure: BaseException | None = None
    asked: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.asked.append("start")

    def stop(self, timeout_s: float = 2.0) -> None:
        self.asked.append("stop")

    def resubscribe(self) -> None:
        self.asked.append("subscribe")

    def reconnect(self) -> None:
        self.asked.append("reconnect")

    def probe_after(self, seconds: int | None) -> None:
        self.asked.append(f"probe after {seconds}")

    def forget_client_id_taken(self) -> None:
        self.client_id_taken = None

    def stats(self) -> TransportStats:
        return self.counters

    def wire(self) -> WireCounters | None:
        return self.counted


def linked(first: FakeConnection, *spares: FakeConnection) -> Links:
    return Links(cast(Connection, first), [cast(Connection, spare) for spare in spares])


def test_a_spare_has_the_login_of_the_first_and_an_id_that_no_device_can_have() -> None:
    config = BrokerConfig("mqtt://me:secret@a,mqtt://b", client_id="vw-edge-a")
    spare = spare_config(config, 2)
    assert (spare.client_id, spare.login(), spare.addresses) == ("vw-edge-a_2", ("me", "secret"), config.addresses)


@pytest.mark.parametrize(
    ("first", "spare", "both"),
    [
        ("connected", "reconnecting", "connected"),
        ("reconnecting", "connected", "connected"),
        ("reconnecting", "connecting", "reconnecting"),
    ],
)
def test_packets_can_be_expected_while_one_of_them_is_connected(first: str, spare: str, both: str) -> None:
    links = linked(FakeConnection(ConnectionState(first)), FakeConnection(ConnectionState(spare)))
    assert links.state is ConnectionState(both)


def test_the_watchdogs_act_on_all_of_them() -> None:
    first, spare = FakeConnection(keepalive_s=5), FakeConnection(keepalive_s=9)
    links = linked(first, spare)
    links.resubscribe()
    links.reconnect()
    links.probe_after(20)
    assert first.asked == spare.asked == ["subscribe", "reconnect", "probe after 20"]
    assert links.keepalive_s == 9


def test_spares_start_once() -> None:
    first, spare = FakeConnection(), FakeConnection()
    links = linked(first, spare)
    links.start_spares()
    links.start_spares()
    links.stop_spares()
    assert (first.asked, spare.asked) == ([], ["start", "stop"])


def test_a_first_connection_that_a_spare_throws_out_goes_on_without_spares(caplog: pytest.LogCaptureFixture) -> None:
    first, spares = FakeConnection(), [FakeConnection(), FakeConnection()]
    links = linked(first, *spares)
    links.start_spares()
    links.look()
    assert spares[0].asked == ["start"]
    first.client_id_taken = "mqtt://a: another connection uses our client id"
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            links.look()
            links.start_spares()
    assert [spare.asked for spare in spares] == [["start", "stop"]] * 2
    assert first.client_id_taken is None
    assert [record.getMessage() for record in caplog.records] == [
        "mqtt://a: another connection uses our client id; going on with one connection: where the broker makes the "
        "client id from the user name or the certificate, link.connections has to be 1"
    ]
    assert links.stats()["spares_given_up"] == 2


def test_a_stranger_with_our_client_id_is_no_spares_fault() -> None:
    """Before there is a spare, and after they were given up."""
    first, spare = FakeConnection(client_id_taken="taken"), FakeConnection()
    links = linked(first, spare)
    links.look()
    assert first.client_id_taken == "taken"
    links.start_spares()
    links.look()
    first.client_id_taken = "taken again"
    links.look()
    assert first.client_id_taken == "taken again"


def test_connects_are_counted_apart_and_what_fails_of_all() -> None:
    first = FakeConnection(counters=TransportStats(connects=1, disconnects=2, connect_failures=3, handler_errors=4))
    spare = FakeConnection(counters=TransportStats(connects=10, disconnects=20, connect_failures=30, handler_errors=40))
    stats = linked(first, spare, spare).stats()
    assert (stats["connects"], stats["disconnects"]) == (1, 2)
    assert [stats[f"spare_{name}"] for name in ("connects", "disconnects", "connect_failures")] == [20, 40, 60]
    assert stats["handler_errors"] == 84
    assert linked(first).stats()["spare_connects"] == 0


def test_the_bytes_of_all_of_them_are_counted_or_none() -> None:
    first, spare = (
        FakeConnection(counted=WireCounters(1, 2, 3, 4)),
        FakeConnection(counted=WireCounters(10, 20, 30, 40)),
    )
    assert linked(first).wire() == WireCounters(1, 2, 3, 4)
    assert linked(first, spare).wire() == WireCounters(11, 22, 33, 44)
    spare.counted = None
    assert linked(first, spare).wire() is None


def test_each_network_thread_is_watched_by_itself() -> None:
    failed = RuntimeError("a bug")
    parts = list(linked(FakeConnection(turns=7), FakeConnection(turns=None, failure=failed)).parts())
    assert [(part.name, part.turns(), part.failure()) for part in parts] == [
        ("network thread", 7, None),
        ("network thread 2", None, failed),
    ]
