"""One way to carry a stream over a link: what it costs, how late it is, and what of the link it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from gateway.plan.hop import (
    FRAME_S,
    HopRate,
    Shape,
    largest_other_message,
    player_rate,
    token_cost,
    token_payload_bytes,
)
from gateway.plan.wire_model import MIN_RTO_S, ping_cost, publish_bytes
from gateway.plan.wish import Wish
from protocol.limits import MAX_PLAYOUT_DELAY_MS
from protocol.link import LinkProfile

LINK_SHARE: Final = 0.75
"""Of the link that a stream may take: the rest is for what is sent again, and for handshakes."""
LATE_SHARE: Final = 0.001
"""Of the packets that may come after their time."""
CODEC_DELAY_S: Final = 0.03
"""Look-ahead of nano; what encoder and decoder take is a few milliseconds."""
MIN_PLAYOUT_S: Final = 2 * FRAME_S
PING_SHARE: Final = 0.02
"""Of the stream that pings may cost: they are what notices a dead link."""
KEEPALIVES_S: Final = (5, 10, 15, 30, 60, 120, 300)
MIN_WINDOW: Final = 2
HANDSHAKE_BYTES: Final = {False: 800, True: 6000}
"""From the first SYN to the broker's yes, without and with TLS: its certificates are two or three thousand of them."""
HANDSHAKE_TRIPS: Final = 4
PATIENCE: Final = 2
"""So many times what a handshake takes it may take."""
STALL_PATIENCE: Final = 4
"""So many times what a packet takes to be acknowledged, behind another, it may take before the link is called dead."""
MIN_MAX_AGE_S: Final = 1.0
MAX_CONNECT_TIMEOUT_S: Final = 60


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from the mouth to the ear, part by part, where one hop of the two is the thin one."""

    packing: float
    codec: float
    sending: float
    """Of one packet, at the rate of the link."""
    network: float
    playout: float

    @property
    def total(self) -> float:
        return self.packing + self.codec + self.sending + self.network + self.playout


@dataclass(frozen=True, slots=True)
class Candidate:
    """Numbers that belong together. retries: how often in a row a packet may be sent again and still be in time."""

    wish: Wish
    shape: Shape
    rate: HopRate
    delays: Delays
    retries: int
    window: int
    datagrams: int
    """IP packets that a token packet takes."""

    @property
    def bits_per_s(self) -> float:
        """Both directions, nothing lost."""
        return 8 * self.rate.total.both

    @property
    def link_share(self) -> float:
        """Of the link that is taken, with what is sent again."""
        return self.bits_per_s / (1 - self.wish.assumed_loss) / self.wish.link_bps

    @property
    def fits(self) -> bool:
        """Is the link fast enough?"""
        return self.link_share <= LINK_SHARE

    @property
    def is_soon_enough(self) -> bool:
        """Is the delay what was wished for, and one that a player can keep?"""
        wished = self.wish.max_delay_s
        return self.playout_delay_ms <= MAX_PLAYOUT_DELAY_MS and (wished is None or self.delays.total <= wished)

    @property
    def playout_delay_ms(self) -> int:
        """Milliseconds."""
        return round(1000 * self.delays.playout)

    @property
    def connect_timeout_s(self) -> int:
        """Whole seconds for one attempt to connect."""
        sending_s = 8 * HANDSHAKE_BYTES[self.wish.tls] / self.wish.link_bps
        return min(MAX_CONNECT_TIMEOUT_S, math.ceil(PATIENCE * (HANDSHAKE_TRIPS * self.wish.rtt_s + sending_s)))

    @property
    def stall_timeout_s(self) -> int:
        """Whole seconds for which nothing may be acknowledged."""
        in_the_way_s = 8 * largest_other_message(self.wish.wire, self.shape) / self.wish.link_bps
        return math.ceil(STALL_PATIENCE * (self.wish.rtt_s + MIN_RTO_S + self.delays.sending + in_the_way_s))

    @property
    def profile(self) -> LinkProfile:
        """For the gateway. The age is where audio is worth nothing any more: as late again as the playout delay."""
        age_s = max(MIN_MAX_AGE_S, self.delays.total + self.delays.playout)
        return LinkProfile(
            "planned",
            frames_per_packet=self.shape.frames,
            qos=self.shape.qos,
            window=self.window,
            keepalive_s=round(self.shape.keepalive_s),
            playout_delay_ms=self.playout_delay_ms,
            max_age_ms=100 * math.ceil(10 * age_s),
        )


def weigh(wish: Wish, layers: int, frames: int) -> Candidate:
    """All that follows from these two."""
    wire = wish.wire
    shape = Shape(layers, frames, wish.assumed_qos, KEEPALIVES_S[-1], wish.topics, wish.stream)
    rate = player_rate(wire, shape, rtt_s=wish.rtt_s)
    ping = ping_cost(wire, qos=shape.qos).both
    keepalive = next((s for s in KEEPALIVES_S if ping / s <= PING_SHARE * rate.tokens.both), KEEPALIVES_S[-1])
    shape = Shape(layers, frames, shape.qos, keepalive, wish.topics, wish.stream)
    sending_s = 8 * token_cost(wire, shape, rtt_s=wish.rtt_s).forth / wish.link_bps
    retries = _retries(wish.assumed_loss)
    topic = len(wish.topics.tokens(wish.stream))
    size = publish_bytes(topic, token_payload_bytes(layers, frames), qos=shape.qos)
    return Candidate(
        wish,
        shape,
        player_rate(wire, shape, rtt_s=wish.rtt_s),
        Delays(
            packing=shape.packet_s,
            codec=CODEC_DELAY_S,
            sending=sending_s,
            network=wish.rtt_s / 2,
            playout=_playout_s(wish, shape, retries, sending_s),
        ),
        retries,
        window=max(MIN_WINDOW, math.ceil((wish.rtt_s + sending_s) / shape.packet_s) + 1),
        datagrams=wire.segments(size),
    )


def _retries(loss: float) -> int:
    """So many times in a row may a packet be lost before it is one of the few that may be late."""
    return 0 if loss == 0 else max(0, math.ceil(math.log(LATE_SHARE) / math.log(loss) - 1e-9) - 1)


def _playout_s(wish: Wish, shape: Shape, retries: int, sending_s: float) -> float:
    """What a packet may be later than the first one was: sent again, behind a message that was in its way."""
    again_s = wish.rtt_s + MIN_RTO_S + sending_s
    in_the_way_s = 8 * largest_other_message(wish.wire, shape) / wish.link_bps
    return max(MIN_PLAYOUT_S, math.ceil(100 * (retries * again_s + in_the_way_s + FRAME_S)) / 100)
