from __future__ import annotations

import pytest

from benchmarks.harness import Cell
from benchmarks.wire.cases import IDLE, IDLE_TOLD, OURS, Case, Variant
from benchmarks.wire.flow import Reading
from benchmarks.wire.measure import Measured
from benchmarks.wire.rows import case_row, figures_line, predict_kbps, target_rows
from protocol.transport import WireCounters

NOTHING = WireCounters()


def measured(case: Case, player: WireCounters, *, sent: int) -> Measured:
    """In a minute, with 561 bytes a packet."""
    before, after = (Reading(counters, counters, n, n, 561 * n) for counters, n in ((NOTHING, 0), (player, sent)))
    return Measured(case, 60.0, before, after)


def row(what: str = OURS, kbps: float = 3.0, /, **values: Cell) -> dict[str, Cell]:
    usual: dict[str, Cell] = {
        "what": what, "layers": 16 if what == OURS else None, "frames_per_packet": 25, "qos": 1, "tls": "yes",
        "mqtt": "5", "entropy": "no", "silence": "no", "tiers": 1, "player_kbps": kbps, "error_percent": None,
    }  # fmt: skip
    return usual | values


def test_a_row_is_ip_bytes_both_ways_over_the_time() -> None:
    # 25 frames at QoS 1: what TCP_INFO said of a minute; docs/benchmarks.md.
    counters = WireCounters(bytes_in=17_900, bytes_out=124, segments_in=69, segments_out=39)
    got = case_row(measured(Case(OURS, 25, 1, layers=16), counters, sent=30))
    assert got["down_kbps"] == pytest.approx(8e-3 * (17_900 + 69 * 52) / 60)
    assert got["up_kbps"] == pytest.approx(8e-3 * (124 + 39 * 52) / 60)
    assert got["payload_bytes"] == 561
    assert isinstance(error := got["error_percent"], float)
    assert abs(error) < 2


@pytest.mark.parametrize(
    "case",
    [Case(OURS, 5, 1, layers=16, variant=Variant(silence=True)),
     Case(OURS, 5, 1, layers=16, variant=Variant(tiers=(4, 12)))],
)  # fmt: skip
def test_what_the_model_does_not_know_has_no_prediction(case: Case) -> None:
    assert predict_kbps(case) is None


def test_idle_is_pings_and_probes_and_told_is_more() -> None:
    idle, told = predict_kbps(Case(IDLE, 0, 1, True)), predict_kbps(Case(IDLE_TOLD, 0, 1, True))
    assert idle is not None
    assert told is not None
    assert idle == pytest.approx(0.193, abs=0.001)  # counted: 0.1931
    assert told > 1.5 * idle


def test_targets_are_judged_over_tls_and_mqtt_5_and_by_the_cheapest_way_to_pack() -> None:
    rows = [
        row(OURS, 3.3), row(OURS, 2.9, entropy="yes"), row(OURS, 1.0, tls="no"), row(OURS, 1.0, mqtt="3.1.1"),
        row(OURS, 3.1, qos=0), row(OURS, 1.0, layers=8),
    ]  # fmt: skip
    judged = {target["target"]: (target["player_kbps"], target["met"]) for target in target_rows(rows)}
    assert judged == {"continuous speech, QoS 1": (2.9, "yes"), "continuous speech, QoS 0": (3.1, "no")}


def test_the_line_of_figures_has_the_targets_the_savings_and_the_worst_prediction() -> None:
    wan: dict[str, Cell] = {"frames_per_packet": 5, "tls": "no"}
    rows = [
        row(OURS, 3.2, qos=0, error_percent=-0.4), row(OURS, 6.0, error_percent=0.1, **wan),
        row("PCM 16 kHz", 264.0, **wan), row("Opus 6 kbit/s", 10.2, **wan),
    ]  # fmt: skip
    assert figures_line(rows) == {
        "continuous_speech_QoS_0": 3.2, "PCM_16_kHz_over_ours": 44.0, "Opus_6_kbit_s_over_ours": 1.7,
        "worst_prediction_percent": 0.4,
    }  # fmt: skip
