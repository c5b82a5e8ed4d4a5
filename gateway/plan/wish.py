"""What somebody who plans a stream gives: the link, and what must not be changed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from gateway.errors import PlanError
from gateway.plan.hop import MAX_LAYERS
from gateway.plan.wire_model import MAX_MTU, MIN_MTU, Wire
from protocol.limits import MAX_FRAMES_PER_PACKET
from protocol.topics import Topics

LAN_RTT_S: Final = 0.005
"""Up to this round trip a link is taken for a building's own, which loses nothing."""
USUAL_LOSS: Final = 0.01
MAX_RTT_S: Final = 30.0
MAX_LOSS: Final = 0.5
MAX_SPEECH_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Wish:
    """A link, and wishes; None: the plan chooses. Raises PlanError for what is out of range.

    link_bps: bits a second that both directions share. loss: share of packets, 0 to 0.5. mtu: bytes of the largest IP
    packet; given, packets are kept to one where that is possible. max_delay_s: from the mouth to the ear.
    speech_s: of an announcement to price. budget_bytes: to be turned into hours of speech.
    """

    link_bps: float
    rtt_s: float
    loss: float | None = None
    mtu: int | None = None
    tls: bool = False
    layers: int | None = None
    frames: int | None = None
    qos: int | None = None
    max_delay_s: float | None = None
    speech_s: float | None = None
    budget_bytes: float | None = None
    topics: Topics = field(default_factory=Topics)
    stream: str = "lobby"

    def __post_init__(self) -> None:
        _check("--link", self.link_bps, 100, 1e12, "bit/s")
        _check("--rtt", self.rtt_s, 0, MAX_RTT_S, "s")
        _check("--loss", self.loss, 0, MAX_LOSS, "(0.05 or 5%)")
        _check("--mtu", self.mtu, MIN_MTU, MAX_MTU, "bytes, IP and TCP headers included")
        _check("--layers", self.layers, 1, MAX_LAYERS, "")
        _check("--frames-per-packet", self.frames, 1, MAX_FRAMES_PER_PACKET, "")
        _check("--qos", self.qos, 0, 1, "")
        _check("--max-delay", self.max_delay_s, 0.1, 120, "s")
        _check("--seconds", self.speech_s, 0.08, MAX_SPEECH_S, "s of speech")
        _check("--budget", self.budget_bytes, 1, 1e15, "bytes")

    @property
    def wire(self) -> Wire:
        return Wire(tls=self.tls, mtu=self.mtu or 1500)

    @property
    def assumed_loss(self) -> float:
        """What was given, or what a link with such a round trip usually loses."""
        if self.loss is not None:
            return self.loss
        return 0.0 if self.rtt_s <= LAN_RTT_S else USUAL_LOSS

    @property
    def assumed_qos(self) -> int:
        """What was given, or 0 where nothing is lost: there is nothing to hand over again."""
        if self.qos is not None:
            return self.qos
        return 1 if self.assumed_loss else 0


def _check(flag: str, value: float | None, low: float, high: float, unit: str) -> None:
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise PlanError(f"{flag} is {value:g}, expected {low:g} to {high:g} {unit}".rstrip() + ".")
