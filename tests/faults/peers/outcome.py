"""What one of those compared made of a row."""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults.peers import figures
from tests.faults.peers.measure import Heard
from tests.faults.rows import Row


@dataclass(frozen=True, slots=True)
class Outcome:
    """heard_percent: of the time of the fault. back_s: after the repair, None for never. lag_before_s, lag_after_s:
    from source to sound, before the fault and at the end; None where nothing true was heard then. oldest_s: of the
    sound that came out from the fault on. wire_kbps: of IP packets that came through during the fault, both directions
    together. overruns: chunks of 20 ms that the source could not hand over. not_run: why it was not.
    """

    row: str
    peer: str
    heard_percent: float | None = None
    back_s: float | None = None
    lag_before_s: float | None = None
    lag_after_s: float | None = None
    oldest_s: float | None = None
    wire_kbps: float | None = None
    overruns: int = 0
    not_run: str | None = None

    @property
    def grown_s(self) -> float | None:
        """By how much the lag is larger than before the fault."""
        if self.lag_before_s is None or self.lag_after_s is None:
            return None
        return round(self.lag_after_s - self.lag_before_s, 2)


@dataclass(frozen=True, slots=True)
class Times:
    """Of a row, in seconds after the source began."""

    began_at: float
    repaired_at: float
    ended_at: float


def judge(row: Row, peer: str, heard: list[Heard], times: Times, *, wire_bytes: int, overruns: int) -> Outcome:
    """The figures of a recording."""
    return Outcome(
        row.name,
        peer,
        heard_percent=_rounded(figures.heard_percent(heard, times.began_at, times.repaired_at), 1),
        back_s=_rounded(figures.back_s(heard, times.repaired_at), 1),
        lag_before_s=_rounded(figures.lag_s(heard, times.began_at), 2),
        lag_after_s=_rounded(figures.lag_s(heard, times.ended_at), 2),
        oldest_s=_rounded(figures.oldest_s(heard, times.began_at, times.ended_at), 2),
        wire_kbps=round(wire_bytes * 8 / 1000 / row.fault_s, 1) if row.fault_s else None,
        overruns=overruns,
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
