"""A recording and all its versions as one picture of spectrograms, small enough for a repository."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.listening.clips import Samples
from benchmarks.quality.contenders import RATE_HZ
from codec.comparison.picture import spectrogram_db
from codec.files.whole_file import WholeFile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

_COLUMNS = 2
_PANEL_INCHES = (6.2, 1.75)
_DPI = 100
_QUALITY = 82  # of WebP: a quarter of the bytes of a PNG, and no difference that is seen
_FLOOR_DB = -70.0
_LOUD_PERCENTILE = 99.95  # as in `codec compare`: the very loudest point alone would leave the rest in the dark
_PAPER, _INK, _QUIET = "#11131a", "#e9e6df", "#a9adbb"


def draw_versions(path: Path, panels: Sequence[tuple[str, Samples]], *, heading: str) -> None:
    """Write the WebP: (title, samples [T] at RATE_HZ) per panel, the original first, whose loudest places are 0 dB."""
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # at debug it lists every font of the machine
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(panels) // _COLUMNS)
    size = (_COLUMNS * _PANEL_INCHES[0], rows * _PANEL_INCHES[1] + 0.8)
    figure = Figure(figsize=size, dpi=_DPI, facecolor=_PAPER)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        rows, _COLUMNS, left=0.045, right=0.93, bottom=0.5 / size[1], top=1 - 0.75 / size[1], hspace=0.22, wspace=0.05
    )
    spectra = [spectrogram_db(samples, RATE_HZ) for _, samples in panels]
    loudest_db = float(np.percentile(spectra[0], _LOUD_PERCENTILE))
    image: AxesImage | None = None
    for number, ((title, samples), spectrum) in enumerate(zip(panels, spectra, strict=True)):
        row, column = divmod(number, _COLUMNS)
        axes = figure.add_subplot(grid[row, column])
        image = axes.imshow(
            spectrum - loudest_db,
            origin="lower",
            aspect="auto",
            extent=(0.0, len(samples) / RATE_HZ, 0.0, RATE_HZ / 2000),
            cmap="magma",
            vmin=_FLOOR_DB,
            vmax=0.0,
            interpolation="bilinear",
        )
        _dress(axes, title, outer_left=column == 0, outer_bottom=number + _COLUMNS >= len(panels))
    figure.text(0.045, 1 - 0.22 / size[1], heading, color=_INK, fontsize=13, fontweight="bold", va="center")
    if image is not None:
        bar = figure.colorbar(image, cax=figure.add_axes((0.942, 0.5 / size[1], 0.009, 1 - 1.25 / size[1])))
        bar.set_label("dB against the original's loudest", color=_QUIET, fontsize=9)
        bar.ax.tick_params(colors=_QUIET, labelsize=8, length=0)
    with WholeFile(path) as file:
        figure.savefig(file.path, format="webp", facecolor=_PAPER, pil_kwargs={"quality": _QUALITY, "method": 6})


def _dress(axes: Axes, title: str, *, outer_left: bool, outer_bottom: bool) -> None:
    axes.set_title(title, loc="left", color=_INK, fontsize=10.5, pad=3)
    axes.set(yticks=(0.0, 2.0, 4.0, 6.0, 8.0))
    axes.tick_params(colors=_QUIET, labelsize=8, length=2, labelleft=outer_left, labelbottom=outer_bottom)
    if outer_left:
        axes.set_ylabel("kHz", color=_QUIET, fontsize=9)
    if outer_bottom:
        axes.set_xlabel("seconds", color=_QUIET, fontsize=9)
    for spine in axes.spines.values():
        spine.set_visible(False)
