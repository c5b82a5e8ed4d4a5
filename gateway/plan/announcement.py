"""What an announcement of so many seconds costs: in packets as they come, in one message, and on a bare radio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from gateway.plan.candidate import Candidate
from gateway.plan.hop import FRAME_S, MAX_LAYERS, token_cost, token_payload_bytes
from gateway.plan.wire_model import publish_bytes, publish_cost
from protocol.limits import MAX_CLIP_BYTES

CLIP_ID: Final = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Price:
    """messages: MQTT messages. wire_bytes: IP bytes, both directions. datagrams: IP packets that carry it, without
    acknowledgements. airtime_s: of all bytes at the rate of the link."""

    messages: int
    wire_bytes: int
    datagrams: int
    airtime_s: float


@dataclass(frozen=True, slots=True)
class Announcement:
    """seconds: of speech. whole: None where it is longer than one message may be.

    bare_frames: radio frames of `mtu` bytes for the message's payload alone, behind a bridge that carries neither IP
    nor MQTT; None where no mtu was given.
    """

    seconds: float
    frames: int
    packets: Price
    whole: Price | None
    bare_bytes: int
    bare_frames: int | None
    bare_airtime_s: float


def price_announcement(plan: Candidate, seconds: float) -> Announcement:
    """`seconds` of speech over the link of `plan`, with its layers."""
    wish, shape, wire = plan.wish, plan.shape, plan.wish.wire
    frames = math.ceil(seconds / FRAME_S - 1e-9)
    packets = -(-frames // shape.frames)
    in_packets = token_cost(wire, shape, rtt_s=wish.rtt_s).both * packets
    bare = token_payload_bytes(shape.layers, frames)
    whole = None
    if bare <= MAX_CLIP_BYTES:
        topic = len(wish.topics.clip(wish.stream, CLIP_ID))
        cost = publish_cost(wire, topic, bare, qos=1, prompt=True, expiry=True)
        size = publish_bytes(topic, bare, qos=1, expiry=True)
        whole = Price(1, round(cost.both), wire.segments(size), 8 * cost.both / wish.link_bps)
    return Announcement(
        seconds,
        frames,
        Price(packets, round(in_packets), packets * plan.datagrams, 8 * in_packets / wish.link_bps),
        whole,
        bare,
        None if wish.mtu is None else -(-bare // wish.mtu),
        8 * bare / wish.link_bps,
    )


def layers_for_one_frame(mtu: int, seconds: float) -> int | None:
    """The most layers with which the payload of so long an announcement is one bare radio frame; None: not even one."""
    frames = math.ceil(seconds / FRAME_S - 1e-9)
    return next((layers for layers in range(MAX_LAYERS, 0, -1) if token_payload_bytes(layers, frames) <= mtu), None)
