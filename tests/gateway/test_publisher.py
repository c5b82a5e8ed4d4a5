from __future__ import annotations

from typing import Any

import numpy as np

from gateway.publisher import Publisher
from protocol.packet import PacketLimits, TokenPacket, decode_packet


def test_a_packet_goes_out_as_live_audio_weighing_its_frames(connection: Any) -> None:
    publisher = Publisher(connection, topic="vw/v1/s/lobby/t0", qos=1, codebook_size=64)
    packet = TokenPacket(epoch=3, first_frame=10, codes=np.arange(12, dtype=np.uint16).reshape(4, 3))
    publisher.publish(packet)
    (said,) = connection.said
    assert said.topic == "vw/v1/s/lobby/t0"
    assert said.options == {"qos": 1, "weight": 3, "drop_precedence": 0, "max_age_s": None}
    assert decode_packet(said.payload, PacketLimits(num_layers=4, codebook_size=64)) == packet
    assert publisher.packets == 1
    assert publisher.payload_bytes == len(said.payload)


def test_a_packet_of_an_upper_tier_weighs_nothing_gives_way_and_grows_old_sooner(connection: Any) -> None:
    publisher = Publisher(connection, topic="vw/v1/s/lobby/t2", qos=0, codebook_size=64, tier=2, max_age_s=0.6)
    publisher.publish(TokenPacket(epoch=3, first_frame=10, codes=np.zeros((4, 3), dtype=np.uint16)))
    assert connection.said[0].options == {"qos": 0, "weight": 0, "drop_precedence": 2, "max_age_s": 0.6}
