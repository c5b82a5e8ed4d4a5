"""What a stream costs and how late it is, by the kernel's own counters: the figures the project promises."""

from __future__ import annotations

import pytest

from gateway.demo.report import pcm_saving_percent, wire_kbps
from tests.integration.nano_path import NanoRun, assert_every_frame_was_played

pytestmark = [pytest.mark.broker, pytest.mark.slow]

TOKEN_KBPS = 2.2
MAX_KBPS = {1: 6.3, 0: 5.1}
MIN_SAVING_PERCENT = 98.3
MAX_LAN_P95_MS = 350.0


@pytest.mark.parametrize("qos", [0, 1])
def test_a_wan_player_costs_no_more_than_promised_with_all_headers_both_ways(
    wan_runs: dict[int, NanoRun], qos: int
) -> None:
    run = wan_runs[qos]
    assert (run.gateway["frames_per_packet"], run.gateway["qos"]) == (5, qos)
    kbps = wire_kbps(run.player, "in") + wire_kbps(run.player, "out")
    assert 2 * TOKEN_KBPS < kbps <= MAX_KBPS[qos]
    assert pcm_saving_percent(kbps, token_kbps=TOKEN_KBPS) >= MIN_SAVING_PERCENT
    assert run.player["wire_down_kbps"] + run.player["wire_up_kbps"] == pytest.approx(kbps, abs=0.01)


@pytest.mark.parametrize("qos", [0, 1])
def test_every_frame_of_a_wan_stream_is_played(wan_runs: dict[int, NanoRun], qos: int) -> None:
    assert wan_runs[qos].gateway["frames_encoded"] == 100
    assert_every_frame_was_played(wan_runs[qos])


def test_a_lan_stream_is_heard_within_350_ms_and_whole(lan_run: NanoRun) -> None:
    assert_every_frame_was_played(lan_run)
    assert 0 < lan_run.player["latency_ms_p50"] <= lan_run.player["latency_ms_p95"] <= MAX_LAN_P95_MS
