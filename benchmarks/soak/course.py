"""One process over time: what it holds and what it uses."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from benchmarks.proc import cpu_seconds, descriptors, memory_bytes, threads
from benchmarks.soak.warm_up import hourly_trend, warm_up_s
from benchmarks.trend import Trend


@dataclass(slots=True)
class Course:
    """Samples of the process `pid`, called `name`, in the order of time. at_s: since the run began. rss: resident
    bytes. cpu_s: processor seconds so far. threads, descriptors: those that it had.
    """

    name: str
    pid: int
    at_s: list[float] = field(default_factory=list)
    rss: list[int] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def sample(self, now_s: float) -> None:
        """Look once. Raises OSError or RuntimeError where there is no such process, and keeps nothing then."""
        rss, cpu_s = memory_bytes(self.pid), cpu_seconds(self.pid)
        count, opened = threads(self.pid), descriptors(self.pid)
        self.at_s.append(now_s)
        self.rss.append(rss)
        self.cpu_s.append(cpu_s)
        self.threads.append(count)
        self.descriptors.append(opened)

    @property
    def warm(self) -> slice:
        """The samples that count: those after the warm-up."""
        return slice(bisect_left(self.at_s, warm_up_s(self.at_s[-1])) if self.at_s else 0, None)

    @property
    def megabytes_per_h(self) -> Trend:
        """How fast its resident memory grew after the warm-up."""
        return hourly_trend(self.at_s, [rss / 1e6 for rss in self.rss])

    @property
    def cpu_percent(self) -> float:
        """Of one core, over the whole run."""
        return 100.0 * (self.cpu_s[-1] - self.cpu_s[0]) / max(1e-9, self.at_s[-1] - self.at_s[0])
