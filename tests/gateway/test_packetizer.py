from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.packetizer import Packetizer


def codes(frame: int) -> NDArray[np.int64]:
    return np.arange(4) + frame


def test_frames_are_batched_in_order() -> None:
    packetizer = Packetizer(epoch_low7=5, frames_per_packet=3, layers=4)
    assert packetizer.push(0, codes(0)) == []
    assert packetizer.push(1, codes(1)) == []
    (packet,) = packetizer.push(2, codes(2))
    assert packet.epoch == 5
    assert packet.first_frame == 0
    assert packet.codes.dtype == np.uint16
    np.testing.assert_array_equal(packet.codes, np.stack([codes(0), codes(1), codes(2)], axis=1))
    assert packetizer.pending == 0


def test_a_jump_of_the_index_ends_the_packet_before_it() -> None:
    packetizer = Packetizer(epoch_low7=0, frames_per_packet=5, layers=4)
    packetizer.push(0, codes(0))
    packetizer.push(1, codes(1))
    (packet,) = packetizer.push(7, codes(7))
    assert (packet.first_frame, packet.codes.shape[1]) == (0, 2)
    (rest,) = packetizer.flush()
    assert (rest.first_frame, rest.codes.shape[1]) == (7, 1)


def test_a_jump_with_one_frame_a_packet_gives_one_packet_each() -> None:
    packetizer = Packetizer(epoch_low7=0, frames_per_packet=1, layers=4)
    assert [packet.first_frame for index in (0, 9) for packet in packetizer.push(index, codes(index))] == [0, 9]


def test_flush_sends_the_rest_once() -> None:
    packetizer = Packetizer(epoch_low7=0, frames_per_packet=5, layers=4)
    packetizer.push(0, codes(0))
    assert len(packetizer.flush()) == 1
    assert packetizer.flush() == []


def test_only_the_first_layers_go_on_the_wire() -> None:
    packetizer = Packetizer(epoch_low7=0, frames_per_packet=1, layers=2)
    (packet,) = packetizer.push(0, codes(3))
    np.testing.assert_array_equal(packet.codes, [[3], [4]])


def test_the_index_wraps_at_32_bits() -> None:
    packetizer = Packetizer(epoch_low7=0, frames_per_packet=2, layers=1)
    packetizer.push(2**32 - 1, codes(0))
    (packet,) = packetizer.push(2**32, codes(1))
    assert packet.first_frame == 2**32 - 1
    packetizer.push(2**32 + 1, codes(2))
    assert packetizer.flush()[0].first_frame == 1


def test_an_empty_packet_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        Packetizer(epoch_low7=0, frames_per_packet=0, layers=1)


def test_a_length_that_changes_holds_from_the_next_packet_on() -> None:
    packetizer = Packetizer(epoch_low7=0, frames_per_packet=2, layers=1)
    lengths = []
    for index in range(16):
        for packet in packetizer.push(index, codes(index)):
            lengths.append(packet.num_frames)
            packetizer.frames_per_packet = 5
    assert lengths == [2, 5, 5]


def test_a_length_that_shrinks_below_what_is_pending_sends_it_with_the_next_frame() -> None:
    packetizer = Packetizer(epoch_low7=0, frames_per_packet=5, layers=1)
    for index in range(3):
        assert packetizer.push(index, codes(index)) == []
    packetizer.frames_per_packet = 2
    (packet,) = packetizer.push(3, codes(3))
    assert (packet.first_frame, packet.num_frames) == (0, 4)
