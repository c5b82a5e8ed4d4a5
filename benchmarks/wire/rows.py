"""From what was counted to rows, targets, and the one line of figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.harness import Cell
from benchmarks.wire.cases import IDLE, IDLE_TOLD, OURS, Case
from benchmarks.wire.measure import Measured
from benchmarks.wire.network import MTU
from gateway.announcer import STATUS_REFRESH_S
from gateway.plan.hop import METRICS_REFRESH_S, HopRate, Shape, player_rate, probes
from gateway.plan.wire_model import Cost, Wire, ping_cost
from protocol.link import NARROW

Row = dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that is wished for: no more kbit/s than that, both ways, over TLS and MQTT 5."""

    name: str
    what: str
    frames: int
    qos: int
    layers: int
    most_kbps: float


TARGETS: Final = (
    Target("continuous speech, QoS 0", OURS, 25, 0, 16, 2.75),
    Target("continuous speech, QoS 1", OURS, 25, 1, 16, 3.0),
    Target("four layers alone", OURS, 25, 0, 4, 1.1),
    Target("idle, nothing declared", IDLE, 0, 1, 0, 0.1),
    Target("idle, with status and metrics", IDLE_TOLD, 0, 1, 0, 0.1),
)


def case_row(measured: Measured) -> Row:
    """One row of the table; kbit/s of IP packets between the broker and one player."""
    case, player, gateway = measured.case, measured.player, measured.gateway
    scale = 8e-3 / measured.seconds
    packets = measured.after.sent - measured.before.sent
    both = scale * (player.ip_bytes_in + player.ip_bytes_out)
    payload = (measured.after.payload_bytes - measured.before.payload_bytes) / packets if case.frames else None
    predicted = predict_kbps(case, payload)
    return {
        "what": case.what,
        "layers": case.layers or None,
        "frames_per_packet": case.frames or None,
        "qos": case.qos if case.frames else None,
        "tls": "yes" if case.tls else "no",
        "mqtt": case.mqtt,
        "entropy": "yes" if case.variant.entropy else "no",
        "silence": "yes" if case.variant.silence else "no",
        "tiers": len(case.variant.tiers) or 1,
        "payload_bytes": None if payload is None else round(payload, 1),
        "down_kbps": scale * player.ip_bytes_in,
        "up_kbps": scale * player.ip_bytes_out,
        "player_kbps": both,
        "gateway_kbps": scale * (gateway.ip_bytes_in + gateway.ip_bytes_out),
        "predicted_kbps": predicted,
        "error_percent": None if predicted is None else 100 * (predicted / both - 1),
    }


def predict_kbps(case: Case, payload_bytes: float | None = None) -> float | None:
    """By the model of `gateway plan`; of what it has no length for with the one that was sent. None for tiers."""
    wire = Wire(tls=case.tls, mqtt5=case.mqtt == "5", mtu=MTU)
    if case.what == IDLE:
        return 8e-3 * (ping_cost(wire, qos=0) * (1 / NARROW.keepalive_s) + probes(NARROW.keepalive_s)).both
    if case.what == IDLE_TOLD:
        return 8e-3 * _refreshed(player_rate(wire, _shape(case))).both
    if case.variant.silence or case.variant.tiers:
        return None
    is_known = case.what == OURS and not case.variant.entropy
    sent = None if is_known or payload_bytes is None else round(payload_bytes)
    rate = player_rate(wire, _shape(case), payload_bytes=sent)
    return 8e-3 * (rate.speech + rate.pings).both


def _shape(case: Case) -> Shape:
    layers, frames = (case.layers or 16), (case.frames or NARROW.frames_per_packet)
    return Shape(layers, frames, case.qos, NARROW.keepalive_s, stream="n0000")


def _refreshed(rate: HopRate) -> Cost:
    others_per_s = 1 / STATUS_REFRESH_S + 1 / METRICS_REFRESH_S
    return rate.pings + rate.status + probes(NARROW.keepalive_s, others_per_s)


def target_rows(rows: Sequence[Row]) -> list[Row]:
    """What is wished for beside what is; of several ways to pack the one that costs least."""
    found: list[Row] = []
    for target in TARGETS:
        kbps = [
            kbps
            for row in rows
            if (row["what"], row["tls"], row["mqtt"]) == (target.what, "yes", "5")
            and (row["frames_per_packet"] or 0, row["layers"] or 0) == (target.frames, target.layers)
            and (not target.frames or row["qos"] == target.qos)
            and isinstance(kbps := row["player_kbps"], float)
        ]
        if kbps:
            met = "yes" if min(kbps) <= target.most_kbps else "no"
            found.append({"target": target.name, "most_kbps": target.most_kbps, "player_kbps": min(kbps), "met": met})
    return found


def figures_line(rows: Sequence[Row]) -> dict[str, Cell]:
    """What one run comes to, in one line: the targets, how far the model is off, and the savings."""
    errors = [abs(error) for row in rows if isinstance(error := row["error_percent"], float)]
    figures: dict[str, Cell] = {
        f"{row['target']}".replace(", ", "_").replace(" ", "_"): _rounded(row["player_kbps"])
        for row in target_rows(rows)
    }
    plain = {row["what"]: row["player_kbps"] for row in rows if _is_compared(row)}
    ours = plain.get(OURS)
    for what, kbps in plain.items():
        if what != OURS and isinstance(kbps, float) and isinstance(ours, float):
            figures[f"{what} over ours".replace(" ", "_").replace("/", "_")] = round(kbps / ours, 2)
    figures["worst_prediction_percent"] = round(max(errors), 2) if errors else None
    return figures


def _is_compared(row: Row) -> bool:
    """Five frames at QoS 1 in the clear: what `wan` sends."""
    same = (row["frames_per_packet"], row["qos"], row["tls"], row["mqtt"]) == (5, 1, "no", "5")
    return same and row["layers"] in (None, 16) and row["entropy"] == row["silence"] == "no" and row["tiers"] == 1


def _rounded(value: Cell) -> Cell:
    return round(value, 3) if isinstance(value, float) else value
