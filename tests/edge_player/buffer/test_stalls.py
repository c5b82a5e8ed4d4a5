"""A link that stalls: the sound stands still once at the most, however what was held up comes after it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_player.buffer.jitter_buffer import JitterBuffer, Lost, Ready
from protocol.packet import TokenPacket

MakeBuffer = Callable[..., JitterBuffer]
MakePacket = Callable[..., TokenPacket]
FRAME_S, AFTER_S = 0.08, 30.0
BURST = 1000.0
"""So many packets at once: all of them."""


def play(
    buffer: JitterBuffer,
    make_packet: MakePacket,
    *,
    frames_per_packet: int,
    stalls: list[tuple[float, float]],
    catch_up: float,
    until: float,
) -> list[str]:
    """Send frames on time over a link that stands still from .. to, and then passes on what it holds `catch_up` times
    as fast as it is made. One letter for each frame slot: what the pull brought."""
    packet_s = FRAME_S * frames_per_packet
    heard, link_free_at, sent, arrivals = [], 0.0, 0, []
    while sent * packet_s < until:
        at = max((sent + 1) * packet_s, link_free_at)
        at = next((end for begin, end in stalls if begin <= at < end), at)
        link_free_at = at + packet_s / catch_up
        arrivals.append((at, sent * frames_per_packet))
        sent += 1
    for slot in range(round(until / FRAME_S)):
        now = slot * FRAME_S
        while arrivals and arrivals[0][0] <= now:
            at, frame = arrivals.pop(0)
            buffer.insert(make_packet(frame, frames_per_packet), at)
        item = buffer.pull(now)
        heard.append("R" if isinstance(item, Ready) else "L" if isinstance(item, Lost) else ".")
    return heard


@pytest.mark.parametrize("catch_up", [1.1, 2.0, BURST])
@pytest.mark.parametrize("stall_s", [0.2, 0.9, 1.5, 3.0, 4.5, 8.0, 20.0])
@pytest.mark.parametrize(("delay_s", "frames_per_packet"), [(0.16, 1), (1.2, 5), (3.0, 10)])
def test_a_stall_costs_one_pause_at_the_most(
    make_buffer: MakeBuffer,
    make_packet: MakePacket,
    delay_s: float,
    frames_per_packet: int,
    stall_s: float,
    catch_up: float,
) -> None:
    buffer = make_buffer(delay_s=delay_s, frames_per_packet=frames_per_packet)
    end = 10.0 + stall_s
    caught_up_s = AFTER_S + (stall_s / (catch_up - 1) if catch_up < BURST else 0.0)
    heard = play(
        buffer,
        make_packet,
        frames_per_packet=frames_per_packet,
        stalls=[(10.0, end)],
        catch_up=catch_up,
        until=end + caught_up_s,
    )
    assert buffer.stats.rebuffers <= 1
    assert set(heard[-round(10.0 / FRAME_S) :]) == {"R"}, "it still stutters"


@pytest.mark.parametrize("catch_up", [2.0, BURST])
def test_each_of_several_stalls_costs_one_pause_at_the_most(
    make_buffer: MakeBuffer, make_packet: MakePacket, catch_up: float
) -> None:
    stalls = [(10.0 + 30 * number, 10.0 + 30 * number + length) for number, length in enumerate((1.5, 3.0, 6.0))]
    buffer = make_buffer()
    play(buffer, make_packet, frames_per_packet=1, stalls=stalls, catch_up=catch_up, until=110.0)
    assert 1 <= buffer.stats.rebuffers <= len(stalls)


def test_the_first_start_is_no_pause(make_buffer: MakeBuffer, make_packet: MakePacket) -> None:
    buffer = make_buffer()
    heard = play(buffer, make_packet, frames_per_packet=1, stalls=[], catch_up=BURST, until=5.0)
    assert (buffer.stats.rebuffers, heard.count("L")) == (0, 0)


@pytest.mark.parametrize("stall_s", [0.2, 0.9])
def test_a_stall_of_less_than_a_second_costs_no_pause(
    make_buffer: MakeBuffer, make_packet: MakePacket, stall_s: float
) -> None:
    """What it held up is lost, and what follows is in time: to stand still for it would only cost more."""
    buffer = make_buffer()
    play(buffer, make_packet, frames_per_packet=1, stalls=[(10.0, 10.0 + stall_s)], catch_up=BURST, until=20.0)
    assert buffer.stats.rebuffers == 0
