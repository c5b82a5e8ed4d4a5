"""Quality against what really goes over the wire, beside the codecs that were scored on the same speech."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.harness import Cell
from benchmarks.wire.cases import OURS
from benchmarks.wire.rows import Row
from codec.files.whole_file import WholeFile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCORES: Final = Path(__file__).resolve().parents[2] / "docs" / "reports" / "nano-quality.json"
PANELS: Final = {
    "pesq_wb": ("PESQ-WB, quality, 1 to 4.6", 4.64),
    "estoi": ("ESTOI, intelligibility, to 1", 1.0),
}
"""Figures that are drawn, each with its title and what a perfect copy gets: PCM."""
LENGTHS: Final = {5: "-", 25: "--"}
"""Frames of 80 ms a packet, each with its line."""
# Okabe and Ito's colours, told apart by colour-blind eyes too; each codec has a mark of its own besides.
LOOKS: Final = {"nano": ("#D55E00", "o"), "Opus": ("#0072B2", "s"), "Codec2": ("#B37400", "^"), "PCM": ("#595959", "D")}
_TICKS_KBPS: Final = (1, 2, 4, 8, 16, 64, 256)
_SIZE_INCHES = (12.0, 5.0)
_DPI = 110
_INK, _QUIET = "#222222", "#595959"

Points = list[tuple[float, float, str]]
"""kbit/s on the wire, figure, and what to write at the point."""


def load_scores(path: Path = SCORES) -> dict[str, Row]:
    """The rows of the report of `make quality`, by the names that they have here."""
    rows = json.loads(path.read_text())["rows"]
    scores: dict[str, Row] = {}
    for row in rows:
        codec, variant = str(row["codec"]), str(row["variant"])
        scores[f"{'nano' if codec.startswith('nano') else codec} {variant.removesuffix(' layers')}"] = row
    return scores


def curves(rows: Sequence[Row], scores: Mapping[str, Mapping[str, Cell]], figure: str) -> dict[tuple[str, int], Points]:
    """By codec and frames a packet, from the lowest rate on: QoS 1 in the clear, MQTT 5. What nobody scored is left
    out."""
    found: dict[tuple[str, int], Points] = {}
    for row in rows:
        frames, kbps = row["frames_per_packet"], row["player_kbps"]
        if (row["qos"], row["tls"], row["mqtt"]) != (1, "no", "5") or frames not in LENGTHS:
            continue
        if row["entropy"] == "yes" or row["silence"] == "yes" or row["tiers"] != 1:
            continue
        name = f"nano {row['layers']}" if row["what"] == OURS else str(row["what"])
        codec, _, variant = name.partition(" ")
        score = PANELS[figure][1] if codec == "PCM" else scores.get(name, {}).get(figure)
        if codec == "PCM" and frames != min(LENGTHS):
            continue  # it costs the same however long
        if isinstance(score, float) and isinstance(kbps, float) and isinstance(frames, int):
            found.setdefault((codec, frames), []).append((kbps, score, variant.removesuffix(" kbit/s")))
    return {line: sorted(points) for line, points in found.items()}


def draw_wire(path: Path, rows: Sequence[Row], *, heading: str) -> None:
    """Write the PNG. Raises ImportError where matplotlib is not installed."""
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # at debug it lists every font of the machine
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(heading, color=_INK, fontsize=12.5, x=0.01, ha="left")
    scores = load_scores()
    for axes, (name, (title, _)) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        _draw_panel(axes, curves(rows, scores, name))
        _dress(axes, title)
    with WholeFile(path) as file:
        figure.savefig(file.path, format="png")


def _draw_panel(axes: Axes, lines: Mapping[tuple[str, int], Points]) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=3, foreground="white")]
    for (codec, frames), points in lines.items():
        colour, mark = LOOKS[codec]
        rates, values = [point[0] for point in points], [point[1] for point in points]
        label = f"{codec}, {frames} frames a packet ({80 * frames / 1000:g} s)"
        axes.plot(rates, values, LENGTHS[frames], color=colour, marker=mark, markersize=6, linewidth=1.7, label=label)
        for rate, value, text in points:
            axes.annotate(
                text, (rate, value), (0, -8), textcoords="offset points", ha="center", va="top", fontsize=7.5,
                color=_QUIET, path_effects=halo, zorder=4,
            )  # fmt: skip


def _dress(axes: Axes, title: str) -> None:
    axes.set_xscale("log")
    axes.set_xticks(_TICKS_KBPS, [f"{tick:g}" for tick in _TICKS_KBPS])
    axes.set_xticks([], minor=True)
    axes.grid(color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_title(title, loc="left", color=_INK, fontsize=11.5)
    axes.set_xlabel("kbit/s on the wire, both ways, headers and answers included", color=_QUIET)
    axes.tick_params(colors=_QUIET, length=3)
    axes.margins(0.06, 0.12)
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=labels.__getitem__)
    axes.legend([handles[i] for i in order], [labels[i] for i in order], loc="lower right", fontsize=8, handlelength=4)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#999999")
