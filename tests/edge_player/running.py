"""A whole player on a thread, and what a gateway would publish for it."""

from __future__ import annotations

import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from edge_player.config import LinkConfig, PlayerConfig, RunConfig, SinkConfig
from edge_player.pipeline import Player
from edge_player.render.decoder import OnnxFrameDecoder
from edge_player.sinks import WavSink
from gateway.demo.broker import RunningBroker
from protocol.event import StreamStopped, encode_event
from protocol.manifest import StreamManifest, encode_manifest
from protocol.packet import TokenPacket, encode_packet
from protocol.service import Stats
from protocol.topics import Topics
from protocol.transport import BrokerConfig, Connection

EPOCH, TOPICS = 0x1234_5678_9ABC_DE05, Topics()


class Running:
    """A player on a thread of its own."""

    def __init__(
        self,
        url: str,
        decoder: OnnxFrameDecoder,
        out: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        keepalive_s: int | None = None,
        client_id: str | None = None,
        connections: int = 1,
        **run: Any,
    ) -> None:
        config = PlayerConfig(
            broker=BrokerConfig(url=url, keepalive_s=keepalive_s, client_id=client_id),
            link=LinkConfig(connections),
            sink=SinkConfig(str(out)),
            run=RunConfig(id="edge-test", **run),
        )
        self.stop = threading.Event()
        self.player = Player(config, decoder, WavSink(out, decoder.spec.sample_rate), stop=self.stop, clock=clock)
        self.stats: Stats = {}
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.stats = self.player.run()
        except BaseException as error:
            self.error = error

    def join(self, timeout_s: float = 15.0) -> Stats:
        self._thread.join(timeout_s)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        return self.stats


@contextmanager
def joined(broker: RunningBroker) -> Iterator[Connection]:
    """Somebody who is connected to it."""
    with Connection(BrokerConfig(url=broker.url)) as connection:
        connection.wait_connected(5)
        yield connection


def announce(gateway: Connection, manifest: StreamManifest) -> None:
    gateway.publish(TOPICS.manifest("lobby"), encode_manifest(manifest), qos=1, retain=True, reliable=True)
    assert gateway.flush(5)


def send(gateway: Connection, packet: TokenPacket) -> None:
    gateway.publish(TOPICS.tokens("lobby", 0), encode_packet(packet, codebook_size=1024), qos=1)


def finish(gateway: Connection, last_frame: int, *, epoch: int = EPOCH) -> None:
    stopped = StreamStopped(epoch, 0, last_frame, 1)
    gateway.publish(TOPICS.event("lobby"), encode_event(stopped), qos=1, reliable=True)
    gateway.publish(TOPICS.manifest("lobby"), b"", qos=1, retain=True, reliable=True)


def read_wav(path: Path) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


def await_connected(running: Running) -> None:
    running.player.connection.wait_connected(5)
    assert running.player.connection.flush(5)
