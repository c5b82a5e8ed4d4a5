"""Packets far from the play position."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_player.buffer.far_packets import FarPackets, PlacedPacket
from protocol.packet import TokenPacket

MakePacket = Callable[..., TokenPacket]


@pytest.mark.parametrize(("second", "agrees"), [(901, True), (1000, True), (1001, False), (900, False), (899, False)])
def test_two_agree_where_the_second_follows_shortly(make_packet: MakePacket, second: int, agrees: bool) -> None:
    far = FarPackets(max_gap_frames=100)
    first = PlacedPacket(make_packet(900), 900, 0, 1.0)
    assert far.note(first) is None
    assert far.note(PlacedPacket(make_packet(second), second, 0, 1.1)) is (first if agrees else None)


def test_only_two_in_a_row_agree(make_packet: MakePacket) -> None:
    far = FarPackets(max_gap_frames=100)
    far.note(PlacedPacket(make_packet(900), 900, 0, 1.0))
    far.forget()
    assert far.note(PlacedPacket(make_packet(901), 901, 0, 1.1)) is None
