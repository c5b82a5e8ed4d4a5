"""What the bad repeater does to packets, and that it does nothing else."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from protocol.event import ClockReport, StreamGap, StreamStarted, StreamStopped
from protocol.packet import TokenPacket
from tests.faults.mischief import FRAME_MS, Mischief, PacketMischief
from tests.protocol.test_manifest import MANIFEST

PACKETS = [
    TokenPacket(epoch=3, first_frame=5 * number, codes=np.full((16, 5), number, dtype=np.uint16))
    for number in range(200)
]


def passed_on(mischief: Mischief, *, seed: int = 1) -> tuple[list[TokenPacket], PacketMischief]:
    player = PacketMischief(mischief, seed=seed)
    sent = [sent for packet in PACKETS for sent in player.packet(packet)]
    return [*sent, *player.flush()], player


def test_without_mischief_packets_pass_as_they_came() -> None:
    assert passed_on(Mischief())[0] == PACKETS


def test_packets_are_sent_twice_one_after_the_other() -> None:
    sent, player = passed_on(Mischief(twice=0.3))
    assert 40 < player.doubled < 80
    assert len(sent) == len(PACKETS) + player.doubled
    assert [packet for at, packet in enumerate(sent) if at == 0 or packet != sent[at - 1]] == PACKETS


def test_a_swapped_packet_comes_right_after_the_next_one() -> None:
    sent, player = passed_on(Mischief(swapped=0.3))
    indices = [packet.first_frame for packet in sent]
    assert sorted(indices) == [packet.first_frame for packet in PACKETS]
    assert player.swaps > 30
    assert sum(later < earlier for earlier, later in itertools.pairwise(indices)) >= player.swaps - 1
    assert all(abs(index - 5 * at) <= 5 for at, index in enumerate(indices))


def test_missing_packets_are_counted_in_frames() -> None:
    sent, player = passed_on(Mischief(missing=0.1))
    assert player.dropped_frames == 5 * (len(PACKETS) - len(sent)) > 0


def test_the_same_seed_does_the_same() -> None:
    wild = Mischief(twice=0.2, swapped=0.2, missing=0.2)
    assert passed_on(wild, seed=4)[0] == passed_on(wild, seed=4)[0] != passed_on(wild, seed=5)[0]


def test_an_index_that_wraps_begins_at_0_again_and_everything_else_moves_along() -> None:
    sent, player = passed_on(Mischief(frames_until_wrap=12))
    assert [packet.first_frame for packet in sent[:4]] == [2**32 - 12, 2**32 - 7, 2**32 - 2, 3]
    manifest = player.manifest(MANIFEST, "lobby")
    shift = 2**32 - 12
    assert (manifest.stream, manifest.first_frame) == ("lobby", MANIFEST.first_frame + shift)
    assert manifest.started_at_ms == MANIFEST.started_at_ms - shift * FRAME_MS


@pytest.mark.parametrize(
    ("event", "moved"),
    [
        (StreamStarted(9, 4, 1000), {"first_frame": 4}),
        (StreamStopped(9, 4, 8, 1000), {"first_frame": 4, "last_frame": 8}),
        (StreamGap(9, 6, 2), {"first_frame": 6}),
        (ClockReport(9, 7, 1000), {"frame": 7}),
    ],
)
def test_events_speak_of_the_same_frames_as_the_packets(
    event: StreamStarted | StreamStopped | StreamGap | ClockReport, moved: dict[str, int]
) -> None:
    shift = 2**32 - 12
    later = {name: index + shift for name, index in moved.items()}
    assert PacketMischief(Mischief(frames_until_wrap=12), seed=1).event(event) == replace(event, **later)  # type: ignore[arg-type]
