"""A whole player behind a real broker on which somebody else publishes too: the stream is heard, and no more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from codec.spec import CodecSpec
from edge_player.render.decoder import OnnxFrameDecoder
from gateway.demo.broker import RunningBroker
from protocol.manifest import StreamManifest
from protocol.packet import TokenPacket, encode_packet
from protocol.status import StatusMessage, encode_status
from protocol.transport import Connection
from tests.edge_player.running import EPOCH, TOPICS, Running, announce, await_connected, finish, joined, read_wav, send
from tests.integration.nano_path import start_mosquitto

pytestmark = pytest.mark.broker

MakePacket = Callable[..., TokenPacket]
MakeManifest = Callable[..., StreamManifest]
FRAMES, FRAME_S = 20, 0.08


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[RunningBroker]:
    with start_mosquitto(tmp_path / "mosquitto") as running:
        yield running


@pytest.fixture
def gateway(mosquitto: RunningBroker) -> Iterator[Connection]:
    with joined(mosquitto) as connection:
        yield connection


@pytest.fixture
def stranger(mosquitto: RunningBroker) -> Iterator[Connection]:
    with joined(mosquitto) as connection:
        yield connection


def inject(stranger: Connection, topic: str, payload: bytes, *, retain: bool = False) -> None:
    stranger.publish(topic, payload, qos=1, retain=retain, reliable=True)


def test_what_strangers_publish_is_never_played(
    mosquitto: RunningBroker,
    gateway: Connection,
    stranger: Connection,
    whole_decoder: OnnxFrameDecoder,
    make_manifest: MakeManifest,
    make_packet: MakePacket,
    code: Callable[[int], int],
    tmp_path: Path,
    spec: CodecSpec,
) -> None:
    """Retained poison from before, then one of each kind of injection between every two packets of the stream."""
    noise = TokenPacket(make_packet(0).epoch, 5, np.full((spec.num_layers, 1), 999, np.uint16))
    forged = encode_packet(noise, codebook_size=spec.codebook_size)
    inject(stranger, TOPICS.manifest("lobby"), b'{"v":1,"stream":"lobby"', retain=True)
    inject(stranger, TOPICS.tokens("lobby", 0), forged, retain=True)
    inject(stranger, TOPICS.edge_command("edge-test", "stop"), b"\x91\xa4stop", retain=True)
    assert stranger.flush(5)
    running = Running(mosquitto.url, whole_decoder, tmp_path / "out.wav", exit_on_stop=True)
    await_connected(running)
    announce(gateway, make_manifest(started_at_ms=round(time.time() * 1000)))
    pause = threading.Event()
    for frame in range(FRAMES):
        send(gateway, make_packet(frame))
        for topic in (TOPICS.tokens("office", 0), *(TOPICS.tokens("lobby", tier) for tier in (1, 2, 3))):
            inject(stranger, topic, forged)
        inject(stranger, TOPICS.clip("lobby", "a"), forged)
        inject(stranger, TOPICS.tokens("lobby", 0), b"\xc1")
        inject(
            stranger, TOPICS.tokens("lobby", 0), encode_packet(make_packet(frame, epoch=EPOCH + 1), codebook_size=1024)
        )
        will = StatusMessage("gateway", "gw-1", "offline", 2**64 - 1, epoch=EPOCH + 1)
        inject(stranger, TOPICS.gateway_status("gw-1"), encode_status(will))
        pause.wait(FRAME_S)
    assert stranger.flush(5)
    finish(gateway, FRAMES - 1)
    stats = running.join()
    assert (stats["frames_due"], stats["frames_played"], stats["epochs"]) == (FRAMES, FRAMES, 1)
    assert (stats["packets_retained"], stats["manifests_bad"]) == (1, 1)
    assert (stats["packets_bad"], stats["packets_unexpected"]) == (FRAMES, FRAMES)
    assert stats["packets_received"] == 3 * FRAMES, "other topics are not even subscribed to"
    assert stats["messages_unmatched"] == stats["handler_errors"] == stats["callback_errors"] == 0
    expected = np.repeat([round(code(frame) / 1000 * 32767) for frame in range(FRAMES)], spec.frame_size)
    assert np.abs(read_wav(tmp_path / "out.wav") - expected).max() <= 1


def test_a_flood_through_a_real_broker_is_counted_and_the_player_stays_well(
    mosquitto: RunningBroker,
    gateway: Connection,
    stranger: Connection,
    whole_decoder: OnnxFrameDecoder,
    make_manifest: MakeManifest,
    tmp_path: Path,
) -> None:
    flood = 3000
    running = Running(mosquitto.url, whole_decoder, tmp_path / "out.wav", wait=True)
    await_connected(running)
    announce(gateway, make_manifest())
    for _ in range(flood // 100):
        for _ in range(100):
            inject(stranger, TOPICS.tokens("lobby", 0), b"\xc1")
        assert stranger.flush(5)  # our own outbox holds no more than 256
    deadline = time.monotonic() + 20
    while running.player.stats()["flood_dropped"] == 0 and time.monotonic() < deadline:
        running.stop.wait(0.05)
    running.stop.set()
    stats = running.join()
    assert int(stats["flood_dropped"]) > 0
    assert int(stats["packets_bad"]) < flood / 2
    seen = ("packets_bad", "flood_dropped", "packets_early", "inbox_dropped")
    assert sum(int(stats[name]) for name in seen) <= flood, (
        "each is counted once; the broker drops what it cannot queue"
    )
