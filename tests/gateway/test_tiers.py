"""How a stream is cut by layers, and where its parts go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gateway.config import StreamConfig
from gateway.errors import GatewayError
from gateway.tiers import cut_tiers, open_publisher, send_window
from protocol.manifest import Tier
from protocol.packet import PacketLimits, TokenPacket, decode_packet
from protocol.service import ConfigError
from protocol.topics import Topics


def cut(num_layers: int = 16, **stream: Any) -> tuple[Tier, ...]:
    return cut_tiers(StreamConfig(**stream), codec="toy", num_layers=num_layers)


def test_all_layers_go_on_one_tier_unless_told_otherwise() -> None:
    assert cut() == (Tier(0, 16),)
    assert cut(layers=3) == (Tier(0, 3),)


def test_tiers_follow_one_another_from_layer_0() -> None:
    assert cut(tiers=(1, 3, 12)) == (Tier(0, 1), Tier(1, 3), Tier(4, 12))
    assert cut(tiers=(1, 3), layers=4) == (Tier(0, 1), Tier(1, 3))


@pytest.mark.parametrize("sizes", [(4, 11), (4, 13), (8,)])
def test_tiers_that_do_not_come_to_what_is_sent_are_refused_with_both_numbers(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=rf"comes to {sum(sizes)} layers, expected 16, .* of toy"):
        cut(tiers=sizes)


def test_more_layers_than_the_codec_has_are_refused_before_their_tiers() -> None:
    with pytest.raises(GatewayError, match="toy has 16 layers, asked to send 20"):
        cut(layers=20, tiers=(8, 12))


def test_each_tier_gets_its_layers_of_every_packet_and_each_packet_stands_alone(connection: Any) -> None:
    config = StreamConfig(link="wan", tiers=(1, 3), upper_qos=0)
    tiers = cut_tiers(config, codec="toy", num_layers=4)
    publisher = open_publisher(connection, config, config.profile, Topics(), tiers, codebook_size=64)
    codes = np.arange(12, dtype=np.uint16).reshape(4, 3)
    publisher.publish(TokenPacket(epoch=3, first_frame=10, codes=codes))
    base, upper = connection.said
    assert (base.topic, upper.topic) == ("vw/v1/s/lobby/t0", "vw/v1/s/lobby/t1") == publisher.topics
    for said, layers in ((base, codes[:1]), (upper, codes[1:])):
        packet = decode_packet(said.payload, PacketLimits(num_layers=len(layers), codebook_size=64))
        assert packet == TokenPacket(epoch=3, first_frame=10, codes=layers)
    assert base.options == {"qos": 1, "weight": 3, "drop_precedence": 0, "max_age_s": None}
    assert upper.options == {"qos": 0, "weight": 0, "drop_precedence": 1, "max_age_s": 0.6}
    assert publisher.payload_bytes == len(base.payload) + len(upper.payload)


@pytest.mark.parametrize(
    ("stream", "window"),
    [
        ({}, 3),
        ({"tiers": (4, 12)}, 6),
        ({"tiers": (4, 4, 8), "upper_qos": 0}, 3),
        ({"tiers": (4, 12), "qos": 0}, 3),
    ],
)
def test_every_tier_that_is_acknowledged_has_the_profiles_window(stream: dict[str, Any], window: int) -> None:
    config = StreamConfig(link="wan", **stream)
    assert send_window(config, config.profile, cut_tiers(config, codec="toy", num_layers=16)) == window


def test_that_a_pause_follows_is_the_bases_to_say(connection: Any) -> None:
    config = StreamConfig(link="wan", tiers=(1, 3))
    tiers = cut_tiers(config, codec="toy", num_layers=4)
    codes = np.zeros((4, 3), dtype=np.uint16)
    publisher = open_publisher(connection, config, config.profile, Topics(), tiers, codebook_size=64)
    publisher.publish(TokenPacket(epoch=3, first_frame=10, codes=codes, pause_after=2))
    pauses = [
        decode_packet(said.payload, PacketLimits(num_layers=tier.num_layers, codebook_size=64)).pause_after
        for said, tier in zip(connection.said, tiers, strict=True)
    ]
    assert pauses == [2, 0]
