"""Figures of the wire and of memory."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edge_player import metrics
from edge_player.metrics import METRICS_NAMES, WireWindow, memory_stats, publish_metrics
from protocol.service import Stats
from protocol.status import decode_status
from protocol.topics import Topics
from protocol.transport import Presence, WireCounters


def test_only_what_lies_between_the_first_packet_and_the_last_but_one_is_counted() -> None:
    # The last packet is a short one, 80 ms after the one before, and the farewell was counted with it.
    farewell = WireCounters(9000, 900, 30, 20)
    readings = iter(
        [WireCounters(1000, 500, 10, 5), WireCounters(1300, 520, 12, 7), WireCounters(1600, 540, 14, 9), farewell]
    )
    window = WireWindow(lambda: next(readings))
    assert window.stats()["wire_seconds"] == 0.0
    for at in (10.0, 10.4, 10.8, 10.88):
        window.mark(at)
    stats = window.stats()
    assert (stats["wire_bytes_in"], stats["wire_bytes_out"], stats["wire_seconds"]) == (600, 40, 0.8)
    assert stats["wire_ip_bytes_in"] == 600 + 4 * 52
    assert stats["wire_down_kbps"] == round((600 + 4 * 52) * 8 / 0.8 / 1000, 3)


def test_a_kernel_that_does_not_tell_gives_zeros() -> None:
    window = WireWindow(lambda: None)
    window.mark(1.0)
    assert window.stats()["wire_bytes_in"] == 0


def test_memory_is_told_in_bytes() -> None:
    stats = memory_stats()
    assert 1_000_000 < int(stats["rss_bytes"]) <= int(stats["rss_peak_bytes"])


def test_the_peak_of_memory_is_our_own_and_not_that_of_whoever_started_us() -> None:
    ballast = bytearray(400_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])  # touched: now the kernel counts it
    program = "from edge_player.metrics import memory_stats; print(memory_stats()['rss_peak_bytes'])"
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert len(ballast) > 2 * int(child.stdout)


def test_memory_is_told_where_there_is_no_proc_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(metrics, "_STATUS_PATH", tmp_path / "none")
    stats = memory_stats()
    assert 1_000_000 < int(stats["rss_bytes"]) == int(stats["rss_peak_bytes"])


class FakeConnection:
    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, dict[str, Any]]] = []

    def publish(self, topic: str, payload: bytes, **options: Any) -> None:
        self.published.append((topic, payload, options))


def test_metrics_are_few_and_small() -> None:
    topics, connection = Topics(), FakeConnection()
    presence = Presence("edge", "edge-1", topics.edge_status("edge-1"), session=7)
    stats: Stats = {"frames_due": 123456789, "latency_ms_p95": 1234.56, "something": "else"}
    publish_metrics(connection, topics.edge_metrics("edge-1"), presence, stats)
    topic, payload, options = connection.published[0]
    assert topic == "vw/v1/edge/edge-1/metrics"
    assert decode_status(payload).stats == {"frames_due": 123456789, "latency_ms_p95": 1234.56}
    assert options == {"qos": 0}


def test_all_metrics_together_stay_small() -> None:
    """On a link of 8 kbit/s, where a packet of 25 frames takes half a second."""
    topics, connection = Topics(), FakeConnection()
    presence = Presence("edge", "edge-1", topics.edge_status("edge-1"), session=time.time_ns())
    presence.update("online", None, 2**64 - 1)
    publish_metrics(connection, topics.edge_metrics("edge-1"), presence, dict.fromkeys(METRICS_NAMES, 1234567.25))
    (_, payload, _) = connection.published[0]
    assert len(decode_status(payload).stats) == len(METRICS_NAMES)
    assert len(payload) < 700


@pytest.mark.parametrize(
    "name",
    [
        "buffer_ms", "playout_target_ms", "underruns", "rebuffers",
        "latency_ms_last", "latency_ms_p95", "latency_ms_max", "periods_inserted", "periods_removed",
    ],
)  # fmt: skip
def test_what_the_jitter_buffer_says_of_itself_is_published_and_explained(name: str, repository: Path) -> None:
    assert name in METRICS_NAMES
    assert f"`{name}`" in (repository / "docs/operating.md").read_text()
