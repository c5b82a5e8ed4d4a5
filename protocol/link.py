"""Link profiles: frames per packet, QoS, window and delay chosen together, because they only work together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocol.errors import Fault, ProtocolError
from protocol.limits import MAX_FRAMES_PER_PACKET, MAX_PLAYOUT_DELAY_MS


@dataclass(frozen=True, slots=True)
class LinkProfile:
    """How a stream is carried over one kind of link. ValueError where the parts contradict each other."""

    name: str
    frames_per_packet: int
    qos: int
    """Of token packets: 0 or 1. Manifest, status, start and stop always go at 1, clock reports at 0."""
    window: int
    """Packets sent and not yet acknowledged; bounds the lag at QoS 1, unused at QoS 0."""
    keepalive_s: int
    playout_delay_ms: int
    """What a player waits from the arrival of the first packet to its first sample."""
    max_age_ms: int
    """Capture to now, past which audio is worth nothing: the sender drops it, the player goes to the live edge."""

    def __post_init__(self) -> None:
        if not 1 <= self.frames_per_packet <= MAX_FRAMES_PER_PACKET:
            raise ValueError(f"frames_per_packet: expected 1 to {MAX_FRAMES_PER_PACKET}, got {self.frames_per_packet}")
        if self.qos not in (0, 1):
            raise ValueError(f"qos: expected 0 or 1 (2 never carries live audio), got {self.qos}")
        if self.window < 1:
            raise ValueError(f"window: expected 1 or more packets, got {self.window}")
        if self.keepalive_s < 1:
            raise ValueError(f"keepalive_s: expected 1 or more seconds, got {self.keepalive_s}")
        if not 0 <= self.playout_delay_ms <= MAX_PLAYOUT_DELAY_MS:
            raise ValueError(f"playout_delay_ms: expected 0 to {MAX_PLAYOUT_DELAY_MS}, got {self.playout_delay_ms}")
        if self.max_age_ms <= self.playout_delay_ms:
            raise ValueError(f"max_age_ms: expected more than the playout delay, got {self.max_age_ms}")


LAN: Final = LinkProfile(
    "lan", frames_per_packet=1, qos=0, window=8, keepalive_s=5, playout_delay_ms=160, max_age_ms=1000
)
# Five frames are 400 ms: per player 6.0 kbit/s both ways with TCP/IP headers, against 17.7 with one frame a packet.
# Keepalive 30 s: at QoS 0 only pings go up, each 160 bytes on the wire with its answer.
WAN: Final = LinkProfile(
    "wan", frames_per_packet=5, qos=1, window=3, keepalive_s=30, playout_delay_ms=1200, max_age_ms=3000
)
NARROW: Final = LinkProfile(
    "narrow", frames_per_packet=10, qos=1, window=3, keepalive_s=30, playout_delay_ms=3000, max_age_ms=8000
)

LINK_PROFILES: Final[Mapping[str, LinkProfile]] = MappingProxyType({"lan": LAN, "wan": WAN, "narrow": NARROW})


def link_profile(name: str) -> LinkProfile:
    """The profile of that name; ProtocolError naming the others where there is none."""
    profile = LINK_PROFILES.get(name)
    if profile is None:
        raise ProtocolError(Fault.UNKNOWN, f"link: expected one of {', '.join(LINK_PROFILES)}, got {name[:40]!r}")
    return profile
