"""The demo over several link profiles, one after the other: what each costs and what it gives."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gateway.demo.options import DemoOptions, LinkName
from gateway.demo.report import DemoReport
from gateway.demo.session import run_demo

__all__ = ["LinkComparison", "compare_links"]

_COLUMNS = ("link", "kbit/s", "down", "up", "saving", "latency", "p95", "not played", "STOI")


@dataclass(frozen=True, slots=True)
class LinkComparison:
    """One report for each profile, in the order that was asked for. folder: holds a folder of results for each."""

    reports: tuple[DemoReport, ...]
    folder: Path

    def to_json(self) -> str:
        """An array of the demo's flat objects, each with its `link`, on one line."""
        return json.dumps([{"link": report.link} | asdict(report.figures) for report in self.reports])

    def to_text(self) -> str:
        """A table for a terminal; rates of one player, both ways, TCP/IP headers included."""
        rows = [_COLUMNS, *(_row(report) for report in self.reports)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
        lines = ["  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([*lines, "", f"  listen and look: {self.folder}/LINK"])


def compare_links(
    options: DemoOptions,
    links: Sequence[LinkName],
    *,
    stop: threading.Event,
    progress: bool = False,
    run: Callable[..., DemoReport] = run_demo,
) -> LinkComparison:
    """Run the demo over each of `links`, with its results in a folder of that name inside `options.out`.

    Raises what `run_demo` raises; profiles that were done by then keep their results.
    """
    reports = [run(replace(options, link=link, out=options.out / link), stop=stop, progress=progress) for link in links]
    return LinkComparison(tuple(reports), options.out.resolve())


def _row(report: DemoReport) -> tuple[str, ...]:
    figures = report.figures
    return (
        report.link,
        f"{figures.wire_down_kbps + figures.wire_up_kbps:.2f}",
        f"{figures.wire_down_kbps:.2f}",
        f"{figures.wire_up_kbps:.2f}",
        f"{figures.saving_percent:.1f} %",
        f"{figures.latency_ms_p50:.0f} ms",
        f"{figures.latency_ms_p95:.0f} ms",
        f"{figures.frames_due - figures.frames_played} of {figures.frames_due}",
        "-" if figures.stoi is None else f"{figures.stoi:.3f}",
    )
