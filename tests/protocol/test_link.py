from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from protocol.errors import ProtocolError
from protocol.event import CLOCK_REPORT_S, ClockReport, encode_event
from protocol.link import LINK_PROFILES, WAN, LinkProfile, link_profile
from protocol.packet import TokenPacket, encode_packet
from protocol.topics import Topics

TCP_IP = 52
"""IPv4 20 + TCP 20 + timestamps 12."""
FRAME_RATE = 12.5


def publish_bytes(topic: str, payload: int, qos: int) -> int:
    """An MQTT 5 PUBLISH without properties, in one segment."""
    rest = 2 + len(topic) + (2 if qos else 0) + 1 + payload
    return TCP_IP + 1 + (1 if rest < 128 else 2) + rest


def player_kbps(profile: LinkProfile, first_frame: int) -> float:
    """What one player costs between broker and itself, both ways, acknowledgements and headers included."""
    topics = Topics()
    codes = np.zeros((16, profile.frames_per_packet), np.uint16)
    packet = len(encode_packet(TokenPacket(epoch=1, first_frame=first_frame, codes=codes), codebook_size=2048))
    # QoS 0: the packet and its TCP acknowledgement. QoS 1: the packet, PUBACK (which carries that), and PUBACK's own.
    per_packet = publish_bytes(topics.tokens("demo"), packet, profile.qos) + TCP_IP
    per_packet += (4 + TCP_IP) if profile.qos else 0
    clock = len(encode_event(ClockReport(epoch=2**64 - 1, frame=first_frame, at_ms=1_735_689_600_000, rate_ppm=25.0)))
    per_second = per_packet * FRAME_RATE / profile.frames_per_packet
    per_second += (publish_bytes(topics.event("demo"), clock, 0) + TCP_IP) / CLOCK_REPORT_S
    if profile.qos == 0:
        per_second += (2 + TCP_IP + 2 + TCP_IP + TCP_IP) / profile.keepalive_s
    return per_second * 8 / 1000


@pytest.mark.parametrize("index", [0, 100_000, 2**32 - 1])
def test_wan_stays_in_its_wire_budget(index: int) -> None:
    assert player_kbps(WAN, index) <= 6.3
    assert player_kbps(replace(WAN, qos=0), index) <= 5.1


def test_profiles_are_those_of_the_design() -> None:
    assert list(LINK_PROFILES) == ["lan", "wan", "narrow"]
    figures = {
        name: (profile.frames_per_packet, profile.qos, profile.playout_delay_ms)
        for name, profile in LINK_PROFILES.items()
    }
    assert figures == {"lan": (1, 0, 160), "wan": (5, 1, 1200), "narrow": (10, 1, 3000)}
    assert WAN.window == 3
    assert WAN.keepalive_s == 30


@pytest.mark.parametrize("name", LINK_PROFILES)
def test_a_packet_can_be_played_before_it_is_too_old(name: str) -> None:
    profile = link_profile(name)
    assert profile.name == name
    packet_ms = profile.frames_per_packet * 1000 / FRAME_RATE
    assert profile.max_age_ms > profile.playout_delay_ms + packet_ms


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(ProtocolError, match="expected one of lan, wan, narrow, got 'gsm'"):
        link_profile("gsm")


@pytest.mark.parametrize(
    "nonsense",
    [
        {"frames_per_packet": 0},
        {"frames_per_packet": 26},
        {"qos": 2},
        {"window": 0},
        {"keepalive_s": 0},
        {"playout_delay_ms": -1},
        {"max_age_ms": 1200},
    ],
)
def test_a_profile_that_contradicts_itself_is_our_own_bug(nonsense: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        replace(WAN, **nonsense)  # type: ignore[arg-type]
