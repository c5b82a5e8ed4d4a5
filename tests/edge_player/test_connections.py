"""A player that hears over several connections, against a real broker: spares that bring, are refused, or disturb."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from edge_player.render.decoder import OnnxFrameDecoder
from gateway.demo.broker import RunningBroker, find_mosquitto, start_broker
from protocol.manifest import StreamManifest
from protocol.packet import TokenPacket
from protocol.transport import BrokerConfig, Connection
from tests.edge_player.running import Running, announce, await_connected, finish, send
from tests.relay import Relay

pytestmark = pytest.mark.broker

MakePacket = Callable[..., TokenPacket]
MakeManifest = Callable[..., StreamManifest]
FRAME_S = 0.08
DEADLINE_S = 15.0


class OneOnly(Relay):
    """Lets the first connection through to the broker; the others are not authorised (CONNACK of MQTT 5, 0x87)."""

    def serve(self, peer: socket.socket) -> None:
        if self.connections == 1:
            super().serve(peer)
        elif peer.recv(4096):
            peer.sendall(bytes.fromhex("2003008700"))
            peer.recv(4096)  # until the other end has read it and gone


class Stage:
    """A broker, somebody who sends to it, and a player that hears over several connections."""

    def __init__(self, broker: RunningBroker, running: Running, gateway: Connection, packet: MakePacket) -> None:
        self.broker = broker
        self.running = running
        self._gateway = gateway
        self._packet = packet
        self.frame = 0

    def count(self, name: str) -> int:
        return int(self.running.player.stats()[name])

    def send_until(self, condition: Callable[[], bool]) -> None:
        """A frame at a time, in real time."""
        pause, deadline = threading.Event(), time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, self.running.player.stats()
            send(self._gateway, self._packet(self.frame))
            self.frame += 1
            pause.wait(FRAME_S)

    def finish(self) -> dict[str, int]:
        finish(self._gateway, self.frame - 1)
        stats = self.running.join()
        return {name: value for name, value in stats.items() if isinstance(value, int)}


Play = Callable[..., AbstractContextManager[Stage]]


@pytest.fixture
def play(whole_decoder: OnnxFrameDecoder, make_packet: MakePacket, make_manifest: MakeManifest, tmp_path: Path) -> Play:
    """`with play(connections=…, settings=…) as stage`: on Mosquitto with further settings."""

    @contextmanager
    def start(
        connections: int, *, settings: dict[str, str] | None = None, users: dict[str, str] | None = None,
        client_id: str | None = None, one_only: bool = False,
    ) -> Iterator[Stage]:  # fmt: skip
        if find_mosquitto() is None:
            pytest.skip("mosquitto is not installed")
        with ExitStack() as stack:
            broker = stack.enter_context(
                start_broker(tmp_path / "broker", prefer="mosquitto", settings=settings, users=users)
            )
            login = next(iter(users.items()), None) if users else None
            url = broker.url if login is None else broker.url.replace("mqtt://", f"mqtt://{login[0]}:{login[1]}@")
            sender = broker.url if users is None else broker.url.replace("mqtt://", "mqtt://gateway:word@")
            gateway = stack.enter_context(Connection(BrokerConfig(sender)))
            gateway.wait_connected(5)
            announce(gateway, make_manifest(delay_ms=400))
            if one_only:
                url = stack.enter_context(OneOnly((broker.host, broker.port))).url
            running = Running(
                url, whole_decoder, tmp_path / "a.wav", exit_on_stop=True, connections=connections, client_id=client_id
            )
            stack.callback(running.stop.set)
            await_connected(running)
            yield Stage(broker, running, gateway, make_packet)

    return start


@pytest.mark.parametrize("connections", [2, 3])
def test_of_each_packet_one_copy_is_played_and_the_others_are_counted(play: Play, connections: int) -> None:
    with play(connections) as stage:
        stage.send_until(lambda: stage.count("copies_dropped") > 0 and stage.count("spare_connects") == connections - 1)
        joined_at = stage.count("packets_received")
        stage.send_until(lambda: stage.count("packets_received") >= joined_at + 12)
        stats = stage.finish()
    assert stats["packets_received"] == stats["packets_accepted"] == stats["frames_played"] == stage.frame
    assert stats["frames_due"] == stats["frames_played"]
    assert (stats["duplicates"], stats["flood_dropped"], stats["events"]) == (0, 0, 1)
    missed_at_most = (connections - 1) * (joined_at + 1)
    assert (
        stage.frame * (connections - 1) - missed_at_most <= stats["copies_dropped"] <= stage.frame * (connections - 1)
    )
    assert stats["spares_given_up"] == stats["spare_disconnects"] == 0


def test_the_wire_counters_are_those_of_all_connections(play: Play) -> None:
    with play(2) as stage:
        stage.send_until(lambda: stage.count("copies_dropped") > 0)
        links = stage.running.player._links
        before = [connection.wire() for connection in (links.first, *links.spares)]
        total_before = stage.count("wire_bytes_in")
        stage.send_until(lambda: stage.count("copies_dropped") > 10)
        gained = [
            after.bytes_in - start.bytes_in
            for start, connection in zip(before, (links.first, *links.spares), strict=True)
            if start is not None and (after := connection.wire()) is not None
        ]
        assert len(gained) == 2, "this kernel does not tell"
        assert 0 < gained[0] < 3 * gained[1] < 9 * gained[0]
        assert stage.count("wire_bytes_in") - total_before > 1.5 * max(gained)
        stage.finish()


def test_a_spare_that_may_read_nothing_is_missed_by_nobody(play: Play, tmp_path: Path) -> None:
    """The access list lets in who reads under its own client id; the player's is the stream's name, the spare's not."""
    rules = tmp_path / "acl"
    rules.write_text("topic write vw/#\ntopic read vw/v1/gateway/#\npattern read vw/v1/s/%c/#\n")
    rules.chmod(0o600)
    with play(2, settings={"acl_file": str(rules)}, client_id="lobby") as stage:
        stage.send_until(lambda: stage.count("spare_connects") == 1)
        received = stage.count("packets_received")
        stage.send_until(lambda: stage.count("packets_received") > received + 12)
        stats = stage.finish()
    assert stats["frames_played"] == stats["frames_due"] == stage.frame
    assert (stats["copies_dropped"], stats["spare_packets_first"], stats["spare_connects"]) == (0, 0, 1)


def test_a_spare_that_is_refused_is_said_once_and_does_not_end_the_player(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), play(2, one_only=True) as stage:
        stage.send_until(lambda: stage.count("spare_connect_failures") > 0)
        received = stage.count("packets_received")
        stage.send_until(lambda: stage.count("packets_received") > received + 12)
        stats = stage.finish()
    assert stats["frames_played"] == stats["frames_due"] == stage.frame
    assert (stats["spare_connect_failures"], stats["spare_connects"], stats["disconnects"]) == (1, 0, 0)
    (said,) = [record.getMessage() for record in caplog.records if "refused the login" in record.getMessage()]
    assert said.startswith("vw-edge-edge-test_2: ")


def test_a_broker_that_takes_the_user_name_for_the_client_id_is_heard_over_one_connection(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They throw each other out until one of them says so. The player does not end, though it was not told to wait."""
    monkeypatch.setattr("protocol.transport.backoff.FIRST_DELAY_S", 0.02)
    monkeypatch.setattr("protocol.transport.backoff.TAKEN_OVER_DELAY_S", (0.1, 0.2))
    users, settings = {"edge": "word", "gateway": "word"}, {"use_username_as_clientid": "true"}
    with (
        caplog.at_level(logging.WARNING),
        play(2, settings=settings, users=users) as stage,
    ):
        stage.send_until(lambda: stage.count("spares_given_up") == 1)
        received, connects = stage.count("packets_received"), stage.count("connects")
        stage.send_until(lambda: stage.count("packets_received") > received + 25)
        stats = stage.finish()
    assert stats["frames_due"] == sum(stats[f"frames_{what}"] for what in ("played", "concealed", "skipped", "comfort"))
    assert connects <= stats["connects"] <= connects + 1, "it is still thrown out"
    assert len([record for record in caplog.records if "going on with one connection" in record.getMessage()]) == 1
