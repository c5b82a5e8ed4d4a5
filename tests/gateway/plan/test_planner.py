from __future__ import annotations

import pytest

from gateway.errors import PlanError
from gateway.plan.candidate import LINK_SHARE, weigh
from gateway.plan.planner import UnmetPlanError, make_plan
from gateway.plan.wish import Wish
from protocol.limits import MAX_PLAYOUT_DELAY_MS

RATES = (2_000, 2_400, 4_000, 8_000, 16_000, 64_000, 1_000_000, 100_000_000)
ROUND_TRIPS = (0.001, 0.04, 0.3, 0.6, 1.5)


@pytest.mark.parametrize("link_bps", RATES)
@pytest.mark.parametrize("rtt_s", ROUND_TRIPS)
@pytest.mark.parametrize("tls", [False, True])
def test_what_is_planned_goes_over_the_link(link_bps: float, rtt_s: float, tls: bool) -> None:
    plan = make_plan(Wish(link_bps, rtt_s, tls=tls))
    profile = plan.profile
    assert plan.link_share <= LINK_SHARE
    # The window holds what is on its way while the first of it is acknowledged.
    assert profile.window * plan.shape.packet_s > rtt_s + plan.delays.sending
    # A packet that is sent again once is still in time.
    if plan.wish.assumed_loss:
        assert profile.playout_delay_ms / 1000 >= rtt_s + 0.2 + plan.delays.sending
    assert profile.playout_delay_ms <= MAX_PLAYOUT_DELAY_MS
    assert profile.max_age_ms > 1000 * (plan.delays.total - plan.delays.packing)


def test_a_building_gets_one_frame_at_qos_0_and_a_thin_link_long_packets_at_qos_1() -> None:
    near, far = make_plan(Wish(100e6, 0.001)), make_plan(Wish(8000, 0.6))
    assert (near.shape.frames, near.shape.qos, near.shape.layers, near.playout_delay_ms) == (1, 0, 16, 160)
    assert far.shape.qos == 1
    assert far.shape.layers == 16
    assert 10 <= far.shape.frames <= 25
    assert 1000 < far.playout_delay_ms < 4000


def test_a_link_too_thin_for_all_layers_gets_as_many_as_fit() -> None:
    plan = make_plan(Wish(2400, 1.0))
    assert 1 <= plan.shape.layers < 16
    assert not weigh(plan.wish, plan.shape.layers + 1, 25).fits


def test_with_an_mtu_a_packet_is_one_datagram_where_the_link_allows_it() -> None:
    assert make_plan(Wish(8000, 0.6, mtu=233)).datagrams == 1
    assert make_plan(Wish(8000, 0.6, mtu=233)).shape.frames < make_plan(Wish(8000, 0.6)).shape.frames
    plan = make_plan(Wish(6000, 0.6, mtu=233, layers=16))
    assert plan.datagrams > 1
    assert not any(weigh(plan.wish, 16, frames).fits for frames in range(1, 7))


def test_what_is_wished_for_is_kept() -> None:
    plan = make_plan(Wish(64_000, 0.3, layers=4, frames=7, qos=0, max_delay_s=3.0))
    assert (plan.shape.layers, plan.shape.frames, plan.shape.qos) == (4, 7, 0)
    assert plan.delays.total <= 3.0


def test_the_more_a_link_loses_the_longer_a_player_waits() -> None:
    delays = [make_plan(Wish(64_000, 0.3, loss=loss, frames=5)).playout_delay_ms for loss in (0.0, 0.01, 0.05, 0.2)]
    assert delays == sorted(set(delays))


def test_pings_stay_a_small_part_of_the_stream() -> None:
    for link_bps in RATES:
        rate = make_plan(Wish(link_bps, 0.3)).rate
        assert rate.pings.both <= 0.02 * rate.tokens.both


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (Wish(2400, 1.0, layers=16), r"16 layers in packets of 25 frames take 3\.\d+ kbit/s both ways at QoS 1, and a "
         r"link of 2\.4 kbit/s has 1\.80 for it; nearest: fewer layers \(\d layers"),
        (Wish(64_000, 0.3, frames=1, max_delay_s=0.5), r"from mouth to ear is at least 0\.\d s, more than 0\.5 s; "
         "nearest: a longer delay"),
        (Wish(8000, 0.6, layers=16, frames=1), "16 layers in packets of 1 frame take .* nearest: packets of another "
         "length"),
        (Wish(3600, 1.0, layers=8, frames=4, qos=1), "nearest: packets of another length"),
        (Wish(400, 1.0), "1 layer in packets of 25 frames .* no other layers, packets and delay would do; as wished it "
         r"takes a link of 1\.\d+ kbit/s"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_met_says_what_fails_and_what_would_do(wish: Wish, sentence: str) -> None:
    with pytest.raises(UnmetPlanError, match=sentence) as caught:
        make_plan(wish)
    nearest = caught.value.nearest
    if nearest is not None:
        assert nearest.plan.fits
        assert nearest.plan.is_soon_enough


def test_the_link_that_is_named_for_a_plan_that_failed_carries_it() -> None:
    wish = Wish(2400, 1.0, layers=16)
    with pytest.raises(UnmetPlanError) as caught:
        make_plan(wish)
    assert caught.value.needed_bps is not None
    assert make_plan(Wish(1.01 * caught.value.needed_bps, 1.0, layers=16)).shape.layers == 16


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        ({"link_bps": 0}, "--link"), ({"rtt_s": -1}, "--rtt"), ({"rtt_s": 31}, "--rtt"), ({"loss": 0.9}, "--loss"),
        ({"mtu": 60}, "--mtu"), ({"layers": 17}, "--layers"), ({"frames": 0}, "--frames-per-packet"),
        ({"qos": 2}, "--qos"), ({"max_delay_s": 0}, "--max-delay"), ({"speech_s": 0}, "--seconds"),
        ({"budget_bytes": 0}, "--budget"),
    ],
)  # fmt: skip
def test_a_wish_out_of_range_names_its_flag(values: dict[str, float], flag: str) -> None:
    with pytest.raises(PlanError, match=rf"^{flag} is .*, expected"):
        Wish(**{"link_bps": 8000, "rtt_s": 0.6, **values})  # type: ignore[arg-type]
