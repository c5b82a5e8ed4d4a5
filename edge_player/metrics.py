"""All counters and figures of a player, flat: for logs, the metrics topic and the statistics file."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping
from pathlib import Path

from protocol.service import Stats, counters_snapshot
from protocol.status import Stat, encode_status
from protocol.transport import Presence, PublishingConnection, WireCounters

METRICS_NAMES = (
    "frames_due", "frames_played", "frames_thinned", "frames_concealed", "frames_skipped", "frames_comfort", "late",
    "underruns", "tiers_followed",
    "rebuffers", "buffer_ms", "playout_target_ms", "periods_inserted", "periods_removed",
    "latency_ms_last", "latency_ms_p95", "latency_ms_max", "decode_rtf",
)  # fmt: skip
"""What goes on the metrics topic: with headers about 700 bytes a time, which the thinnest link has to carry too."""

_STATUS_PATH = Path("/proc/self/status")


class WireWindow:
    """What went over the wire between the first token packet and the last but one: the steady state.

    Without the handshake before the first; and without the last, which may be a short one and which the farewell of
    the stream follows so closely that the kernel has counted that too by the time we look.
    """

    def __init__(self, read: Callable[[], WireCounters | None]) -> None:
        """`read` gives the counters so far, None where the kernel does not tell."""
        self._read = read
        self._first: tuple[float, WireCounters] | None = None
        self._last: tuple[float, WireCounters] | None = None
        self._last_but_one: tuple[float, WireCounters] | None = None

    def mark(self, at: float) -> None:
        """A token packet came at `at` seconds."""
        counters = self._read()
        if counters is None:
            return
        if self._first is None:
            self._first = (at, counters)
        self._last_but_one, self._last = self._last, (at, counters)

    def stats(self) -> Stats:
        """Bytes of TCP payload and with IPv4 and TCP headers, segments, seconds, kbit/s; all 0 before three packets."""
        if self._first is None or self._last_but_one is None:
            seconds, moved = 0.0, WireCounters()
        else:
            seconds, moved = self._last_but_one[0] - self._first[0], self._last_but_one[1] - self._first[1]
        return {
            "wire_seconds": round(seconds, 3),
            **counters_snapshot(moved, prefix="wire_"),
            "wire_ip_bytes_in": moved.ip_bytes_in,
            "wire_ip_bytes_out": moved.ip_bytes_out,
            "wire_down_kbps": _kbps(moved.ip_bytes_in, seconds),
            "wire_up_kbps": _kbps(moved.ip_bytes_out, seconds),
        }


def _kbps(count: int, seconds: float) -> float:
    return round(count * 8 / 1000 / seconds, 3) if seconds > 0 else 0.0


def memory_stats() -> Stats:
    """Resident memory of this process now and at its highest, bytes.

    The highest is that of our own address space: the peak that getrusage tells is inherited from whoever started us.
    """
    try:
        status = _STATUS_PATH.read_text(encoding="ascii", errors="replace")
        resident, peak = (1024 * int(_find_field(status, name)) for name in ("VmRSS", "VmHWM"))
    except (OSError, ValueError):  # no Linux
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {"rss_bytes": peak, "rss_peak_bytes": peak}
    return {"rss_bytes": resident, "rss_peak_bytes": max(peak, resident)}


def _find_field(status: str, name: str) -> str:
    """The number on one line of /proc/self/status. ValueError where it is missing."""
    for line in status.splitlines():
        if line.startswith(f"{name}:"):
            return line.split()[1]
    raise ValueError(f"no {name} in {_STATUS_PATH}")


def publish_metrics(
    connection: PublishingConnection, topic: str, presence: Presence, stats: Mapping[str, Stat]
) -> None:
    """Publish the few figures that matter, not retained, as a status message without a reason."""
    chosen = {name: stats[name] for name in METRICS_NAMES if name in stats}
    message = presence.message(presence.status.state, stats=chosen)
    connection.publish(topic, encode_status(message), qos=0)
