"""Frames to packets where nobody speaks: what is sent, what is said, and that it adds up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gateway.announcer import Announcer
from gateway.encoder_worker import FrameMark
from gateway.packetizer import Packetizer
from gateway.publisher import Publisher
from gateway.silence_gate import SilenceGate
from gateway.stream_writer import StreamWriter
from gateway.tiers import TieredPublisher
from protocol.event import HEARTBEAT_S, StreamPaused, decode_event
from protocol.manifest import CodecIdentity, StreamManifest, Tier
from protocol.packet import PacketLimits, TokenPacket, decode_packet
from protocol.topics import Topics
from protocol.transport import Presence

EPOCH = 0x1234_5678_9ABC_DEF0
FRAME_S = 0.08


class Stream:
    """A writer whose packets and events are read back, and a clock that goes on with the frames."""

    def __init__(self, connection: Any, clock: Any, *, frames_per_packet: int, qos: int) -> None:
        self.connection, self.clock = connection, clock
        self.announcer = Announcer(
            connection,
            Topics(),
            stream="lobby",
            presence=Presence("gateway", "gw", Topics().gateway_status("gw"), session=7, epoch=EPOCH),
            clock=clock,
            utc=lambda: clock() + 1.7e9,
        )
        self.announcer.open_stream(
            StreamManifest(
                stream="lobby",
                codec=CodecIdentity("toy", 16000, 1280, 4, 64, 0, "ab" * 32),
                tiers=(Tier(0, 4),),
                frames_per_packet=frames_per_packet,
                epoch=EPOCH,
                started_at_ms=1,
                gateway_id="gw",
                qos=qos,
                playout_delay_ms=1200,
                silence=True,
            )
        )
        self.gate = SilenceGate(hangover_frames=5, preroll_frames=2)
        low7 = EPOCH & 0x7F
        packetizer = Packetizer(epoch_low7=low7, frames_per_packet=frames_per_packet, layers=4)
        base = Publisher(connection, topic="vw/v1/s/lobby/t0", qos=qos, codebook_size=64)
        publisher = TieredPublisher((Tier(0, 4),), [base])
        self.writer = StreamWriter(packetizer, publisher, self.announcer, live=False, gate=self.gate)
        self.frames = 0

    def write(self, speech: str) -> None:
        """One frame a character: `#` somebody speaks, `.` nobody does."""
        for said in speech:
            mark = FrameMark(self.frames, self.clock(), said == "#")
            self.writer.write(mark, np.zeros(4, dtype=np.int64))
            self.frames += 1
            self.clock.now += FRAME_S

    @property
    def packets(self) -> list[TokenPacket]:
        limits = PacketLimits(num_layers=4, codebook_size=64)
        return [decode_packet(message.payload, limits) for message in self.connection.on("/t0")]

    @property
    def heartbeats(self) -> list[Any]:
        said = [(message, decode_event(message.payload)) for message in self.connection.on("/event")]
        return [message for message, event in said if event == StreamPaused(EPOCH & 0x7F)]


@pytest.fixture
def stream(connection: Any, clock: Any) -> Stream:
    return Stream(connection, clock, frames_per_packet=4, qos=1)


def spans(packets: list[TokenPacket]) -> list[tuple[int, int, int]]:
    return [(packet.first_frame, packet.num_frames, packet.pause_after) for packet in packets]


def test_a_pause_begins_with_a_short_packet_that_says_so(stream: Stream) -> None:
    stream.write("#" * 6 + "." * 20)
    assert spans(stream.packets) == [(0, 4, 0), (4, 4, 0), (8, 3, 3)]


def test_a_pause_begins_with_a_full_packet_where_it_falls_so(stream: Stream) -> None:
    stream.write("#" * 3 + "." * 20)
    assert spans(stream.packets) == [(0, 4, 0), (4, 4, 3)]


def test_speech_goes_on_with_what_came_shortly_before_it(stream: Stream) -> None:
    stream.write("#" * 3 + "." * 20 + "#" * 6)
    assert spans(stream.packets)[2:] == [(21, 4, 0), (25, 4, 0)]


@pytest.mark.parametrize("speech", ["#" * 40, "." * 300, ("#" * 9 + "." * 30) * 5, "#...#......#.......#" * 9])
@pytest.mark.parametrize("frames_per_packet", [1, 4, 25])
def test_every_frame_is_published_or_silent(connection: Any, clock: Any, speech: str, frames_per_packet: int) -> None:
    stream = Stream(connection, clock, frames_per_packet=frames_per_packet, qos=1)
    stream.write(speech)
    stream.writer.finish()
    assert sum(packet.num_frames for packet in stream.packets) + stream.gate.silent_frames == len(speech)


def test_a_pause_has_a_heartbeat_every_15_seconds_and_nothing_else(stream: Stream, connection: Any) -> None:
    stream.write("#" * 3 + "." * 5)
    connection.said.clear()
    stream.write("." * 500)  # 40 s
    assert [message.options for message in stream.heartbeats] == [{"qos": 0, "reliable": True}] * 2
    assert connection.said == stream.heartbeats
    assert stream.announcer.heartbeats == 2


def test_the_heartbeat_ends_with_the_pause_and_a_clock_report_comes_with_the_voice(stream: Stream) -> None:
    stream.write("#" * 3 + "." * 200 + "#" * 400)
    assert len(stream.heartbeats) == 1
    assert stream.announcer.clock_reports > 0


def test_where_a_packet_may_be_lost_the_pause_is_said_at_once_too(connection: Any, clock: Any) -> None:
    stream = Stream(connection, clock, frames_per_packet=1, qos=0)
    stream.write("#" * 3 + "." * 7)
    assert len(stream.heartbeats) == 1
    assert connection.said[-1] is stream.heartbeats[0]


def test_a_source_that_hands_over_nothing_has_no_heartbeat(stream: Stream, clock: Any) -> None:
    stream.write("#" * 3 + "." * 10)
    clock.now += 4 * HEARTBEAT_S
    stream.announcer.tick(dict)
    assert not stream.heartbeats


def test_the_status_comes_as_seldom_as_the_manifest(stream: Stream, connection: Any, clock: Any) -> None:
    for _ in range(15):
        connection.said.clear()
        clock.now += 60.0
        stream.announcer.tick(dict)
        said = [message.topic.rsplit("/", 1)[1] for message in connection.said]
        assert said == ([] if clock() < 1900.0 else ["manifest", "status"])


def test_a_gap_in_a_pause_leaves_nothing_of_before_it_to_be_sent(stream: Stream) -> None:
    stream.write("#" * 3 + "." * 10)
    stream.writer.gap(13, 100)
    stream.frames = 113
    stream.write("#" * 4)
    assert spans(stream.packets)[-1] == (113, 4, 0)
    assert stream.gate.silent_frames == 5
