"""What came of a row, in figures and sentences."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.faults.checker import back_after
from tests.faults.course import heard_share
from tests.faults.evidence import Evidence
from tests.faults.rows import Row

Figure = int | float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """failed: one sentence for each promise that was not kept. not_run: why it was not run, where it was not."""

    row: str
    seed: int
    seconds: float
    failed: list[str]
    figures: dict[str, Figure] = field(default_factory=dict)
    not_run: str | None = None

    @property
    def passed(self) -> bool:
        """Ran and kept every promise."""
        return not self.failed and self.not_run is None


def judge(row: Row, found: Evidence, *, seed: int, seconds: float, failed: list[str]) -> Verdict:
    """The figures of a row beside what failed."""
    got, sent = found.player.stats or {}, found.gateway.stats or {}
    heard = heard_share(found.player.samples, found.began_at, found.repaired_at)
    back_s = back_after(row, found)
    figures: dict[str, Figure] = {
        "heard_percent": round(100 * heard, 1) if row.fault_s else None,
        "back_s": None if back_s is None else round(back_s, 1),
        "oldest_ms": round(got["latency_ms_max"]) if got else None,
        "due": got.get("frames_due"),
        "played": got.get("frames_played"),
        "lost": got["frames_concealed"] + got["frames_skipped"] if got else None,
        "dropped_by_gateway": sent.get("frames_dropped"),
        "player_connects": got.get("connects"),
        "gateway_connects": sent.get("connects"),
        "player_mib": round(max(found.player.rss, default=0) / 2**20, 1),
        "broker_mib": round(max(found.broker_rss, default=0) / 2**20, 1),
        "packets_lost": found.lost_packets,
        "packets_passed": found.passed_packets,
    }
    return Verdict(row.name, seed, round(seconds, 1), failed, figures)
