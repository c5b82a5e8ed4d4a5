from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness import Cell
from benchmarks.wire.cases import OURS
from benchmarks.wire.plot import curves, draw_wire, load_scores


def row(what: str, frames: int, kbps: float, layers: int | None = None, **values: Cell) -> dict[str, Cell]:
    return {
        "what": what, "layers": layers, "frames_per_packet": frames, "qos": 1, "tls": "no", "mqtt": "5",
        "entropy": "no", "silence": "no", "tiers": 1, "player_kbps": kbps,
    } | values  # fmt: skip


ROWS = [
    row(OURS, 5, 6.0, 16), row(OURS, 5, 4.9, 8), row(OURS, 25, 3.1, 16), row(OURS, 5, 7.0, 16, tls="yes"),
    row("Opus 6 kbit/s", 5, 10.0), row("Opus 16 kbit/s", 5, 20.0), row("Codec2 1200", 5, 5.0),
    row("PCM 16 kHz", 5, 260.0), row(OURS, 10, 4.2, 16),
]  # fmt: skip


def test_points_are_wire_rates_with_the_scores_of_the_report() -> None:
    scores = load_scores()
    lines = curves(ROWS, scores, "pesq_wb")
    assert set(lines) == {("nano", 5), ("nano", 25), ("Opus", 5), ("Codec2", 5), ("PCM", 5)}
    assert lines["nano", 5] == [(4.9, scores["nano 8"]["pesq_wb"], "8"), (6.0, scores["nano 16"]["pesq_wb"], "16")]
    assert lines["Opus", 5] == [(10.0, scores["Opus 6 kbit/s"]["pesq_wb"], "6")]  # nobody scored 16 kbit/s
    assert lines["PCM", 5] == [(260.0, 4.64, "16 kHz")]


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw_wire(tmp_path / "wire.png", ROWS, heading="Quality on the wire")
    assert (tmp_path / "wire.png").read_bytes().startswith(b"\x89PNG")
