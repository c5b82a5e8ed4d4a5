"""A link that was too slow for a while, and a broker without Receive Maximum: its queue is not played for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_player.config import PlayerConfig, PlayoutConfig, RunConfig
from edge_player.pipeline import Player
from edge_player.render.decoder import OnnxFrameDecoder
from edge_player.sinks import NullSink
from protocol.transport import BrokerConfig
from protocol.transport.version_choice import MQTT_311
from tests.integration.nano_path import CLIP, FRAME_S, Start, start_mosquitto
from tests.integration.slow_link import SlowLink
from tests.integration.watcher import Watcher
from tests.protocol_transport.old_broker import OldBroker

pytestmark = [pytest.mark.broker, pytest.mark.slow]

STREAM = "lobby"
DELAY_S = 0.4
PACKET_S = 5 * FRAME_S
STREAM_BYTES = 410.0
"""A second, of the link profile wan at the layer of MQTT."""

DEADLINE_S = 20.0


@contextmanager
def playing(url: str) -> Iterator[Player]:
    """A player in this process, that plays to nowhere."""
    stop = threading.Event()
    config = PlayerConfig(
        broker=BrokerConfig(url),
        playout=PlayoutConfig(delay=str(round(1000 * DELAY_S))),
        run=RunConfig(id="edge-old", wait=True, metrics_s=0),
    )
    with OnnxFrameDecoder() as decoder:
        player = Player(config, decoder, NullSink(decoder.spec.sample_rate), stop=stop)
        thread = threading.Thread(target=player.run)
        thread.start()
        try:
            yield player
        finally:
            stop.set()
            thread.join(10.0)
    assert not thread.is_alive()


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {DEADLINE_S:.0f} s"
        time.sleep(0.02)


def test_a_player_behind_a_queue_comes_back_to_the_live_edge(start: Start, tmp_path: Path) -> None:
    with (
        start_mosquitto(tmp_path / "broker") as broker,
        Watcher(broker.url) as watcher,
        OldBroker(broker.host, broker.port) as old,
        SlowLink(old.url) as link,
        playing(link.url) as player,
    ):
        player.connection.wait_connected(DEADLINE_S)
        assert player.connection.flush(DEADLINE_S)
        assert player.connection.protocol_version == MQTT_311
        connections = link.connections
        arguments = ("--broker", broker.url, "--source", str(CLIP), "--loop", "--link", "wan", "--id", "gw-old")
        watcher.rely_on(start("gateway", "run", "--stream", STREAM, *arguments))

        def behind_s() -> float:
            """What the gateway has sent and the player has not come to: it was there from the first frame on."""
            return (watcher.count_frames(STREAM) - int(player.stats()["frames_due"])) * FRAME_S

        until(lambda: int(player.stats()["frames_played"]) > 20, "sound")
        assert behind_s() < DELAY_S + 2 * PACKET_S
        link.rate = STREAM_BYTES / 4
        until(lambda: behind_s() > 2.5, "a lag")
        assert link.connections == connections
        until(lambda: link.connections > connections, "another connection")
        link.rate = STREAM_BYTES * 1.3  # a queue of five seconds would be there for another fifteen
        until(lambda: behind_s() < DELAY_S + 2 * PACKET_S, "the live edge")
        stats = player.stats()
        assert stats["age_reconnects"] == stats["connects"] - 1 == 1  # type: ignore[operator]
        assert stats["watchdog_reconnects"] == stats["disconnects"] == 0
