from __future__ import annotations

from gateway.plan.announcement import layers_for_one_frame, price_announcement
from gateway.plan.planner import make_plan
from gateway.plan.wish import Wish
from protocol.limits import MAX_CLIP_BYTES


def test_one_message_is_cheaper_than_packets_and_the_payload_alone_cheaper_than_that() -> None:
    told = price_announcement(make_plan(Wish(8000, 0.6, mtu=233)), 8.0)
    assert told.frames == 100
    assert told.packets.messages == 17
    assert told.packets.datagrams == 17
    assert told.whole is not None
    assert told.bare_bytes < told.whole.wire_bytes < told.packets.wire_bytes
    assert told.bare_frames == 10
    assert told.bare_airtime_s == told.bare_bytes / 1000
    assert told.packets.airtime_s == told.packets.wire_bytes / 1000


def test_the_last_packet_may_be_short_and_is_paid_for_all_the_same() -> None:
    plan = make_plan(Wish(64_000, 0.3, frames=5))
    assert price_announcement(plan, 0.4).packets.messages == 1
    assert price_announcement(plan, 0.41).packets.messages == 2


def test_what_is_longer_than_a_message_may_be_has_no_price_in_one() -> None:
    plan = make_plan(Wish(64_000, 0.3))
    whole = price_announcement(plan, 200.0)
    assert whole.whole is not None
    assert price_announcement(plan, 300.0).whole is None
    assert whole.bare_bytes <= MAX_CLIP_BYTES


def test_the_layers_that_fit_into_one_radio_frame_are_known() -> None:
    assert layers_for_one_frame(233, 8.0) == 1
    assert layers_for_one_frame(233, 2.0) == 6
    assert layers_for_one_frame(100, 60.0) is None
