"""Two recordings as a picture: what went in above what came out, waveform over spectrogram, on one time axis."""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

__all__ = ["Take", "draw_spectrograms", "spectrogram_db"]

_WINDOW_S = 0.032
_HOP_S = 0.008
_FLOOR_DB = -70.0
_LOUD_PERCENTILE = 99.95  # the very loudest point alone would leave the rest in the dark
_SIZE_INCHES = (15.0, 9.4)
_DPI = 130
_ENVELOPE_POINTS = 1800  # about one a pixel: more is not seen

_PAPER = "#11131a"
_PANEL = "#0a0b10"
_INK = "#e9e6df"
_QUIET = "#8f93a3"
_GRID = "#2a2e3b"
_COLOUR_MAP = "magma"


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One of the two recordings. samples: `[samples]`; title and caption: for people; colour: of the waveform."""

    samples: NDArray[np.float32]
    title: str
    caption: str
    colour: str


def spectrogram_db(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Power `[frequencies, times]` in dB, Hann windows of 32 ms every 8 ms; frequencies from 0 to rate / 2."""
    window, hop = int(_WINDOW_S * rate), int(_HOP_S * rate)
    padded = np.pad(samples, (window // 2, window))
    count = 1 + len(samples) // hop
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop][:count]
    power = np.abs(np.fft.rfft(frames * np.hanning(window).astype(np.float32), axis=1)) ** 2
    return np.asarray(10.0 * np.log10(power.T + 1e-12), dtype=np.float32)


def draw_spectrograms(path: Path, takes: tuple[Take, Take], *, rate: int, heading: str) -> bool:
    """Write the PNG. False, and nothing written, where matplotlib is not installed.

    takes: original and rebuilt, aligned, both at `rate` Hz. Loudness is shown on one scale, the original's
    loudest places being 0 dB, so that what is darker below is quieter.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return False
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # at debug it lists every font of the machine
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    spectra = [spectrogram_db(take.samples, rate) for take in takes]
    reference_db = float(np.percentile(spectra[0], _LOUD_PERCENTILE))
    peak = max(1e-3, *(float(np.abs(take.samples).max(initial=0.0)) for take in takes))
    duration_s = max(len(take.samples) for take in takes) / rate

    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, facecolor=_PAPER)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        5, 1, height_ratios=(1.0, 3.0, 0.42, 1.0, 3.0), left=0.062, right=0.925, top=0.865, bottom=0.07, hspace=0.05
    )
    image: AxesImage | None = None
    for take, spectrum, rows in zip(takes, spectra, ((0, 1), (3, 4)), strict=True):
        wave = figure.add_subplot(grid[rows[0]])
        _draw_waveform(wave, take, rate=rate, peak=peak, duration_s=duration_s)
        picture = figure.add_subplot(grid[rows[1]], sharex=wave)
        image = _draw_spectrogram(picture, spectrum - reference_db, rate=rate, duration_s=duration_s)
        if rows == (3, 4):
            picture.set_xlabel("time, seconds", color=_QUIET, fontsize=10.5, labelpad=6)
        else:
            picture.tick_params(labelbottom=False)
    figure.text(0.062, 0.955, heading, color=_INK, fontsize=17, fontweight="bold", va="center")
    if image is not None:
        scale = figure.add_axes((0.941, 0.07, 0.010, 0.795))
        bar = figure.colorbar(image, cax=scale)
        bar.set_label("level, dB against the loudest places of the original", color=_QUIET, fontsize=10)
        bar.outline.set_visible(False)
        scale.tick_params(colors=_QUIET, labelsize=9, length=0)
    figure.savefig(path, format="png", facecolor=_PAPER)  # whatever the path ends in
    return True


def _draw_waveform(axes: Axes, take: Take, *, rate: int, peak: float, duration_s: float) -> None:
    low, high = _envelope(take.samples)
    times = (np.arange(len(low)) + 0.5) * (len(take.samples) / rate / max(1, len(low)))
    axes.fill_between(times, low / peak, high / peak, color=take.colour, linewidth=0.4)
    axes.set(xlim=(0.0, duration_s), ylim=(-1.08, 1.08), yticks=[])
    axes.tick_params(labelbottom=False, bottom=False)
    _dress(axes)
    axes.set_title(take.title, loc="left", color=take.colour, fontsize=13, fontweight="bold", pad=7)
    axes.set_title(take.caption, loc="right", color=_QUIET, fontsize=11, pad=7)


def _draw_spectrogram(axes: Axes, level_db: NDArray[np.float32], *, rate: int, duration_s: float) -> AxesImage:
    top_khz = rate / 2000
    image = axes.imshow(
        level_db,
        origin="lower",
        aspect="auto",
        extent=(0.0, level_db.shape[1] * _HOP_S, 0.0, top_khz),
        cmap=_COLOUR_MAP,
        vmin=_FLOOR_DB,
        vmax=0.0,
        interpolation="bilinear",
    )
    axes.set(xlim=(0.0, duration_s), ylim=(0.0, top_khz), yticks=np.arange(0.0, top_khz + 0.01, 2.0))
    axes.set_ylabel("frequency, kHz", color=_QUIET, fontsize=10.5)
    axes.tick_params(colors=_QUIET, labelsize=9.5, length=3)
    _dress(axes)
    return image


def _dress(axes: Axes) -> None:
    axes.set_facecolor(_PANEL)
    for spine in axes.spines.values():
        spine.set_color(_GRID)


def _envelope(samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest sample of each of at most _ENVELOPE_POINTS equal stretches."""
    points = max(1, min(_ENVELOPE_POINTS, len(samples)))
    padded = np.pad(samples, (0, -len(samples) % points)) if len(samples) else np.zeros(points, dtype=np.float32)
    stretches = padded.reshape(points, -1)
    return stretches.min(axis=1), stretches.max(axis=1)
