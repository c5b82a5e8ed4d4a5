"""Quality against kbit/s as a picture: a panel for each of three figures, a line for each codec."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Row
from codec.files.whole_file import WholeFile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS: Final = {
    "pesq_wb": "PESQ-WB, quality, 1 to 4.6",
    "estoi": "ESTOI, intelligibility, to 1",
    "speaker_similarity": "voice, cosine, to 1",
}
"""Figures that are drawn, each with the title of its panel."""

# Okabe and Ito's colours, told apart by colour-blind eyes too; each codec has a mark of its own besides.
_LOOKS: Final = {
    "Opus": ("#0072B2", "s"),
    "Opus 60 ms": ("#0072B2", "p"),
    "Codec2": ("#B37400", "^"),
    "Speex wideband": ("#009E73", "D"),
}
_NANO_LOOKS: Final = (("#D55E00", "o"), ("#CC79A7", "v"), ("#000000", "P"), ("#56B4E9", "X"))
_UNWRITTEN: Final = ("Opus", "Opus 60 ms", "Speex wideband")  # their points say no more than the axis does
_TICKS_KBPS: Final = (0.125, 0.25, 0.5, 1, 2, 4, 8)
_SIZE_INCHES = (15.0, 5.2)
_DPI = 110
_INK = "#222222"
_QUIET = "#595959"

Points = list[tuple[float, float, str]]
"""kbit/s, figure, and what to write at the point."""
Place = tuple[float, float]


def draw_quality(path: Path, rows: Sequence[Row], *, heading: str) -> None:
    """Write the PNG. rows: as of `mean_rows`. Raises ImportError where matplotlib is not installed."""
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # at debug it lists every font of the machine
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(heading, color=_INK, fontsize=13, x=0.01, ha="left")
    for axes, (name, title) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        lines = _lines(rows, name)
        _dress(axes, title)
        axes.set_ylim(*_limits(lines))
        figure.draw_without_rendering()  # where things are is known after that only
        _draw_panel(axes, lines, _looks(lines))
    with WholeFile(path) as file:
        figure.savefig(file.path, format="png")


def _looks(lines: Iterable[str]) -> Mapping[str, tuple[str, str]]:
    """Colour and mark of each line; whatever is not known is a nano."""
    nanos = [line for line in lines if line not in _LOOKS]
    return {**_LOOKS, **{line: _NANO_LOOKS[place % len(_NANO_LOOKS)] for place, line in enumerate(nanos)}}


def _lines(rows: Sequence[Row], figure: str) -> dict[str, Points]:
    """The points of each line from the lowest rate to the highest. What is behind a comma makes another line, as in
    `6 kbit/s, 60 ms`: two ways to use one rate."""
    lines: dict[str, Points] = {}
    for row in rows:
        value, kbps = row[figure], row["kbps"]
        variant, _, way = str(row["variant"]).partition(", ")
        points = lines.setdefault(f"{row['codec']} {way}".strip(), [])
        if isinstance(value, float) and isinstance(kbps, float):
            points.append((kbps, value, variant.removesuffix(" layers").removesuffix(" layer")))
    return {line: sorted(points) for line, points in lines.items()}


def _limits(lines: Mapping[str, Points]) -> Place:
    values = [value for points in lines.values() for _, value, _ in points] or [0.0, 1.0]
    room = 0.12 * (max(values) - min(values) or 1.0)
    return min(values) - room, max(values) + room


def _draw_panel(axes: Axes, lines: Mapping[str, Points], looks: Mapping[str, tuple[str, str]]) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=3, foreground="white")]
    for line, points in lines.items():
        colour, mark = looks[line]
        rates, values = [point[0] for point in points], [point[1] for point in points]
        axes.plot(rates, values, color=colour, marker=mark, markersize=6, linewidth=1.8)
        for rate, value, text in points if line not in _UNWRITTEN else ():
            axes.annotate(
                text, (rate, value), (0, -7), textcoords="offset points", ha="center", va="top", fontsize=8,
                color=_QUIET, path_effects=halo, zorder=4,
            )  # fmt: skip
    for line, place, offset in _free_places(axes, lines):
        axes.annotate(
            line, place, offset, textcoords="offset points", ha="center", va="center", fontsize=10.5,
            fontweight="bold", color=looks[line][0], path_effects=halo, zorder=5,
        )  # fmt: skip


def _free_places(axes: Axes, lines: Mapping[str, Points]) -> Iterator[tuple[str, Place, Place]]:
    """For the name of each line the point and the offset from it that keep farthest from all lines and other names."""
    pixels = axes.figure.dpi / 72
    taken = [place for points in lines.values() for place in _along(axes, points, text_below=12 * pixels)]
    low, high = axes.transAxes.transform([(0.02, 0.02), (0.98, 0.98)])
    for line, points in lines.items():
        half = 3.3 * len(line)  # of the name's width, in points
        best, best_distance = None, -1.0
        for rate, value, _ in points:
            for offset in ((0, 13), (0, -23), (half + 14, 0), (-half - 14, 0), (half, 13), (-half, 13)):
                middle = axes.transData.transform((rate, value)) + np.multiply(offset, pixels)
                covered = middle + np.linspace((-half, 0), (half, 0), 9) * pixels
                if (covered < low).any() or (covered > high).any():
                    continue
                distance = min(float(np.hypot(*(covered - other).T).min()) for other in taken)
                if distance > best_distance:
                    best, best_distance = ((rate, value), offset, covered), distance
        if best is not None:
            yield line, best[0], best[1]
            taken += list(best[2])


def _along(axes: Axes, points: Points, *, text_below: float) -> Iterator[NDArray[np.float64]]:
    """Places on the picture, in pixels, that a line covers, and the texts below its points."""
    corners = [np.asarray(axes.transData.transform((rate, value))) for rate, value, _ in points]
    for corner in corners:
        yield corner
        yield corner - (0.0, text_below)
    for one, other in pairwise(corners):
        yield from (one + share * (other - one) for share in np.linspace(0, 1, 12)[1:-1])


def _dress(axes: Axes, title: str) -> None:
    axes.set_xscale("log")
    axes.set_xticks(_TICKS_KBPS, [f"{tick:g}" for tick in _TICKS_KBPS])
    axes.set_xticks([], minor=True)
    axes.set_xlim(0.11, 13)
    axes.grid(color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_title(title, loc="left", color=_INK, fontsize=11.5)
    axes.set_xlabel("kbit/s of payload", color=_QUIET)
    axes.tick_params(colors=_QUIET, length=3)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#999999")
