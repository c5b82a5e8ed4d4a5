"""Training runs as curves, several on the same axes."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from codec.models.nano.train.report.run_log import EXACT, Position, Row, Run, measured, scores, series, smoothed, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_training", "draw_validation"]

# Okabe and Ito's colours, which colour-blind people can tell apart; without the yellow, too pale for a line.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
LineStyle = Literal["-", "--", ":", "-."]
LINE_STYLES: tuple[LineStyle, ...] = ("-", "--", ":", "-.")
"""The next one, where there are more runs than colours."""
INK, QUIET, GRID = "#1a1a1a", "#5f5f5f", "#dddddd"
PANEL_INCHES = (3.6, 2.5)
HEAD_INCHES = 0.5
PANELS_A_ROW = 3
DPI = 110
SPIKES_PERCENT = 2.0
"""Of a smoothed curve's highest values, the first steps above all, may lie outside the panel."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One small diagram: which figure, and where in the picture."""

    key: str
    title: str
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Curve:
    """One run in one panel. positions, values, and the raw values behind them if those were smoothed: [N] each."""

    positions: NDArray[np.float64]
    values: NDArray[np.float64]
    raw: NDArray[np.float64] | None
    dotted: bool
    """With a dot for each value."""


def draw_training(path: Path, runs: Sequence[Run], *, against: Position, window: int) -> bool:
    """Write a PNG with a panel for each figure of training: every logged value faintly, their running mean over it.

    window: of that mean, in logged lines. False, and nothing written, where there is nothing to draw.
    """
    keys = measured(row for run in runs for row in run.training)
    panels = [Panel(key, words(key), index // PANELS_A_ROW, index % PANELS_A_ROW) for index, key in enumerate(keys)]
    curves = {key: [_curve(run.training, key, against, window=window) for run in runs] for key in keys}
    limits = {key: _limits(curves[key], spikes_percent=SPIKES_PERCENT) for key in keys}
    return _draw(path, runs, panels, curves, limits, against)


def draw_validation(path: Path, runs: Sequence[Run], *, against: Position) -> bool:
    """Write a PNG with a row of panels for each score, one panel for each number of layers, all of a row on one scale.

    False, and nothing written, where there is nothing to draw.
    """
    all_scores = scores(runs)
    names = list(dict.fromkeys(score.name for score in all_scores))
    layers = sorted({score.layers for score in all_scores})
    panels = [
        Panel(score.key, score.title, names.index(score.name), layers.index(score.layers)) for score in all_scores
    ]
    curves = {
        score.key: [_curve(run.validation, score.key, against, dotted=True) for run in runs] for score in all_scores
    }
    limits = {}
    for score in all_scores:
        of_the_row = [curve for other in all_scores if other.name == score.name for curve in curves[other.key]]
        limits[score.key] = _limits(of_the_row)
    return _draw(path, runs, panels, curves, limits, against)


def _curve(rows: list[Row], key: str, against: Position, *, window: int = 1, dotted: bool = False) -> Curve:
    positions, values = series(rows, key, against)
    if window == 1 or key in EXACT:
        return Curve(positions, values, None, dotted)
    return Curve(positions, smoothed(values, window), values, dotted)


def _limits(curves: list[Curve], *, spikes_percent: float = 0.0) -> tuple[float, float] | None:
    """Of the vertical axis; None where the curves do not say."""
    values = np.concatenate([curve.values for curve in curves])
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = float(values.min()), float(np.percentile(values, 100.0 - spikes_percent))
    margin = 0.08 * (high - low)
    return (low - margin, high + margin) if margin > 0.0 else None


def _draw(
    path: Path,
    runs: Sequence[Run],
    panels: list[Panel],
    curves: dict[str, list[Curve]],
    limits: dict[str, tuple[float, float] | None],
    against: Position,
) -> bool:
    if not panels:
        return False
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # at debug it lists every font of the machine
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    rows, columns = 1 + max(panel.row for panel in panels), 1 + max(panel.column for panel in panels)
    legend_rows = math.ceil(len(runs) / columns)
    size = (columns * PANEL_INCHES[0], rows * PANEL_INCHES[1] + HEAD_INCHES * legend_rows)
    figure = Figure(figsize=size, dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows, columns)
    furthest = max(run.position[against] for run in runs)
    for panel in panels:
        axes = figure.add_subplot(grid[panel.row, panel.column])
        for index, curve in enumerate(curves[panel.key]):
            _draw_curve(axes, curve, index)
        _dress(axes, panel, limits[panel.key], against)
        axes.set_xlim(-0.02 * furthest, 1.02 * furthest if furthest > 0.0 else 1.0)
        if len(runs) == 1:
            _say_last(axes, curves[panel.key][0])
    lines = [Line2D([], [], color=_colour(i), linestyle=_line_style(i), linewidth=2) for i in range(len(runs))]
    # A bare dollar would begin a formula.
    figure.legend(
        lines, [run.name.replace("$", r"\$") for run in runs], loc="outside upper left", ncols=columns, frameon=False
    )
    figure.savefig(path, format="png")
    return True


def _draw_curve(axes: Axes, curve: Curve, index: int) -> None:
    colour = _colour(index)
    if curve.raw is not None:
        axes.plot(curve.positions, curve.raw, color=colour, linewidth=0.6, alpha=0.25)
    marker = "o" if curve.dotted or len(curve.values) == 1 else None  # a lone point makes no line
    axes.plot(
        curve.positions,
        curve.values,
        color=colour,
        linestyle=_line_style(index),
        linewidth=1.6,
        marker=marker,
        markersize=3.5,
    )


def _dress(axes: Axes, panel: Panel, limits: tuple[float, float] | None, against: Position) -> None:
    axes.set_title(panel.title, loc="left", fontsize=10.5, color=INK)
    axes.set_xlabel("minutes" if against == "minutes" else "steps", fontsize=9, color=QUIET)
    axes.tick_params(colors=QUIET, labelsize=8.5, length=3)
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GRID)
    if limits:
        axes.set_ylim(*limits)


def _say_last(axes: Axes, curve: Curve) -> None:
    """The last value, where only one run is drawn and it is clear whose it is."""
    if len(curve.values) and math.isfinite(curve.values[-1]):
        axes.set_title(f"{curve.values[-1]:.4g}", loc="right", fontsize=10.5, color=_colour(0), fontweight="bold")


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def _line_style(index: int) -> LineStyle:
    return LINE_STYLES[index // len(COLOURS) % len(LINE_STYLES)]
