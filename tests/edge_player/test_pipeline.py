"""The whole player against a real broker: from packets on a socket to samples in a file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from codec.audio.wav import WavWriter
from codec.errors import OutputFileError
from codec.spec import CodecSpec
from edge_player.errors import ModelMismatchError, NoStreamError, SinkError
from edge_player.metrics import METRICS_NAMES
from edge_player.render.decoder import OnnxFrameDecoder
from gateway.demo.broker import RunningBroker, start_broker
from protocol.event import StreamStarted, encode_event
from protocol.manifest import StreamManifest
from protocol.packet import TokenPacket
from protocol.service import ExitCode, PartFailedError
from protocol.status import decode_status
from protocol.transport import BrokerUnavailableError, Connection, ConnectionState
from tests.edge_player.running import EPOCH, TOPICS, Running, announce, await_connected, finish, joined, read_wav, send

pytestmark = pytest.mark.broker

MakePacket = Callable[..., TokenPacket]
MakeManifest = Callable[..., StreamManifest]
FRAME_S = 0.08


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    with start_broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def gateway(broker: RunningBroker) -> Iterator[Connection]:
    with joined(broker) as connection:
        yield connection


@pytest.mark.parametrize(("frames_per_packet", "delay_ms"), [(1, 160), (5, 400)])
def test_every_frame_of_a_clean_stream_is_played_and_the_player_leaves_at_its_end(
    frames_per_packet: int,
    delay_ms: int,
    broker: RunningBroker,
    gateway: Connection,
    whole_decoder: OnnxFrameDecoder,
    make_manifest: MakeManifest,
    make_packet: MakePacket,
    code: Callable[[int], int],
    tmp_path: Path,
    spec: CodecSpec,
) -> None:
    running = Running(broker.url, whole_decoder, tmp_path / "out.wav", exit_on_stop=True)
    await_connected(running)
    started_at_ms = round(time.time() * 1000)
    manifest = make_manifest(frames_per_packet=frames_per_packet, delay_ms=delay_ms, started_at_ms=started_at_ms)
    announce(gateway, manifest)
    gateway.publish(TOPICS.event("lobby"), encode_event(StreamStarted(EPOCH, 0, started_at_ms)), qos=1, reliable=True)
    pause = threading.Event()
    for first in range(0, 20, frames_per_packet):
        send(gateway, make_packet(first, frames_per_packet))
        pause.wait(FRAME_S * frames_per_packet)
    finish(gateway, 19)
    stats = running.join()
    assert (stats["frames_due"], stats["frames_played"]) == (20, 20)
    assert stats["frames_concealed"] == stats["frames_skipped"] == stats["frames_comfort"] == 0
    assert stats["underruns"] == stats["rebuffers"] == 0
    assert 0 < float(stats["latency_ms_last"]) <= float(stats["latency_ms_max"])
    assert set(METRICS_NAMES) <= stats.keys()
    assert float(stats["first_sound_ms"]) > 0
    expected = np.repeat([round(code(frame) / 1000 * 32767) for frame in range(20)], spec.frame_size)
    assert np.abs(read_wav(tmp_path / "out.wav") - expected).max() <= 1


def test_a_late_joiner_finds_the_stream_and_a_clean_stop_says_goodbye(
    broker: RunningBroker,
    gateway: Connection,
    whole_decoder: OnnxFrameDecoder,
    make_manifest: MakeManifest,
    make_packet: MakePacket,
    tmp_path: Path,
) -> None:
    announce(gateway, make_manifest())
    states: list[str] = []
    gateway.subscribe(TOPICS.edge_status("edge-test"), 1, lambda m: states.append(decode_status(m.payload).state))
    pause, frame = threading.Event(), 300
    began = time.monotonic()
    running = Running(broker.url, whole_decoder, tmp_path / "out.wav")
    while running.player.stats()["frames_played"] == 0:
        send(gateway, make_packet(frame))
        frame += 1
        pause.wait(FRAME_S)
        assert time.monotonic() - began < 5
    assert time.monotonic() - began < 0.16 + 1.0
    running.stop.set()
    stats = running.join()
    assert stats["frames_concealed"] == stats["frames_skipped"] == 0
    for _ in range(100):
        if states[-1:] == ["offline"]:
            break
        pause.wait(0.02)
    assert states[-2:] == ["online", "offline"]


def test_a_stream_of_other_weights_is_refused(
    broker: RunningBroker,
    gateway: Connection,
    whole_decoder: OnnxFrameDecoder,
    make_manifest: MakeManifest,
    tmp_path: Path,
) -> None:
    announce(gateway, make_manifest(weights_sha256="cd" * 32))
    states: list[str] = []
    gateway.subscribe(TOPICS.edge_status("edge-test"), 1, lambda m: states.append(decode_status(m.payload).state))
    running = Running(broker.url, whole_decoder, tmp_path / "out.wav")
    with pytest.raises(ModelMismatchError, match="weights_sha256"):
        running.join()
    gateway.flush(2)
    assert "refused" in states


def test_an_unknown_stream_is_said_after_a_while(
    broker: RunningBroker, whole_decoder: OnnxFrameDecoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_player.pipeline.WAIT_S", 0.5)
    with pytest.raises(NoStreamError, match="no stream called 'lobby'"):
        Running(broker.url, whole_decoder, tmp_path / "out.wav").join()


def test_a_broker_that_is_down_is_said_after_a_while(
    whole_decoder: OnnxFrameDecoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_player.pipeline.WAIT_S", 0.3)
    before = threading.active_count()
    with pytest.raises(BrokerUnavailableError, match="No MQTT broker"):
        Running("mqtt://127.0.0.1:1", whole_decoder, tmp_path / "out.wav").join()
    assert threading.active_count() == before


def test_a_player_that_waits_plays_a_stream_that_comes_later_and_ends_after_its_time(
    broker: RunningBroker,
    gateway: Connection,
    whole_decoder: OnnxFrameDecoder,
    make_manifest: MakeManifest,
    make_packet: MakePacket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge_player.pipeline.WAIT_S", 0.2)
    running = Running(broker.url, whole_decoder, tmp_path / "out.wav", wait=True, limit_s=1.5)
    await_connected(running)
    threading.Event().wait(0.4)
    announce(gateway, make_manifest())
    send(gateway, make_packet(0))
    stats = running.join()
    assert stats["frames_played"] == 1


def test_a_file_that_cannot_be_finished_is_an_error_after_all_else_was_stopped(
    broker: RunningBroker, whole_decoder: OnnxFrameDecoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = WavWriter.close

    def refuse(writer: WavWriter) -> None:
        close(writer)
        raise OutputFileError(f"Cannot write {writer.path}: Input/output error")

    monkeypatch.setattr(WavWriter, "close", refuse)
    running = Running(broker.url, whole_decoder, tmp_path / "a.wav", limit_s=0.2)
    with pytest.raises(SinkError, match="Input/output error"):
        running.join()
    assert running.player.connection.state is ConnectionState.CLOSED


def test_a_decoder_that_hangs_ends_the_player_with_an_error_that_names_the_part(
    broker: RunningBroker,
    gateway: Connection,
    whole_decoder: OnnxFrameDecoder,
    make_manifest: MakeManifest,
    make_packet: MakePacket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hang(codes: object) -> None:
        entered.set()
        leave.wait(30)

    monkeypatch.setattr(whole_decoder, "decode", hang)
    monkeypatch.setattr("protocol.transport.network_loop.IDLE_POLL_S", 0.02)  # by a clock that runs fast it would hang
    monkeypatch.setattr("edge_player.render.worker.PlayerWorker.stop", lambda worker: False)  # saves two seconds
    announce(gateway, make_manifest())
    running = Running(broker.url, whole_decoder, tmp_path / "a.wav", wait=True, clock=lambda: 20 * time.monotonic())
    await_connected(running)
    send(gateway, make_packet(0))
    assert entered.wait(10)
    with pytest.raises(PartFailedError, match="the player worker has made no progress for 10 s") as caught:
        running.join()
    leave.set()
    assert caught.value.exit_code == ExitCode.FAILURE
    assert running.player.connection.state is ConnectionState.CLOSED


def test_a_network_thread_that_ends_by_a_bug_ends_a_player_that_waits(
    whole_decoder: OnnxFrameDecoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> float:
        raise AssertionError("a bug")

    monkeypatch.setattr("protocol.transport.network_loop.NetworkLoop._conclude", fail)
    with pytest.raises(PartFailedError, match=r"the network thread has ended \(AssertionError: a bug\)"):
        Running("mqtt://127.0.0.1:1", whole_decoder, tmp_path / "a.wav", wait=True).join()


def test_a_worker_that_ends_by_a_bug_ends_a_player_that_waits_for_its_broker(
    whole_decoder: OnnxFrameDecoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> float:
        raise AssertionError("a bug")

    monkeypatch.setattr("edge_player.render.playout.Playout.step", fail)
    with pytest.raises(AssertionError, match="a bug"):
        Running("mqtt://127.0.0.1:1", whole_decoder, tmp_path / "a.wav", wait=True).join()


@pytest.mark.parametrize("deaf", [False, True])
def test_a_broker_that_has_forgotten_the_subscription_is_asked_again_and_a_deaf_connection_left(
    deaf: bool,
    broker: RunningBroker,
    gateway: Connection,
    whole_decoder: OnnxFrameDecoder,
    make_manifest: MakeManifest,
    make_packet: MakePacket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    announce(gateway, make_manifest())
    running = Running(broker.url, whole_decoder, tmp_path / "a.wav", wait=True, keepalive_s=1)
    await_connected(running)
    player, pause, frame = running.player, threading.Event(), 0

    def send_until(condition: Callable[[], bool]) -> None:
        nonlocal frame
        deadline = time.monotonic() + 15.0
        while not condition():
            assert time.monotonic() < deadline, player.stats()
            send(gateway, make_packet(frame))
            frame += 1
            pause.wait(FRAME_S)

    send_until(lambda: int(player.stats()["frames_played"]) > 5)
    if deaf:
        monkeypatch.setattr(player.connection, "resubscribe", lambda: None)
    player.connection._loop.command(lambda session: session.unsubscribe(TOPICS.tokens("lobby", 0)))
    assert player.connection.flush(5)
    pause.wait(0.2)
    received = int(player.stats()["packets_received"])
    send_until(lambda: int(player.stats()["packets_received"]) > received + 5)
    running.stop.set()
    stats = running.join()
    assert (stats["watchdog_resubscribes"], stats["watchdog_reconnects"]) == (1, int(deaf))
    assert (stats["connects"], stats["disconnects"]) == (1 + deaf, 0)
