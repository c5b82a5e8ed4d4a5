"""The picture of quality against rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness import Row
from benchmarks.quality.plot import draw_quality

pytest.importorskip("matplotlib")

from matplotlib.image import imread


def _row(codec: str, variant: str, kbps: float, figure: float | None) -> Row:
    return {
        "codec": codec, "variant": variant, "kbps": kbps, "pesq_wb": figure, "estoi": 0.5, "speaker_similarity": 0.6,
    }  # fmt: skip


def _colours(path: Path) -> set[str]:
    pixels = (imread(path)[:, :, :3] * 255).round().astype(np.int64)
    return {f"#{colour:06X}" for colour in np.unique(pixels @ (65536, 256, 1)).tolist()}


def test_every_codec_is_a_line_of_its_own_colour_whatever_is_missing(tmp_path: Path) -> None:
    rows = [
        _row("nano-1", "4 layers", 0.55, 1.4), _row("nano-1", "16 layers", 2.2, 1.5),
        _row("nano-1 int8", "4 layers", 0.55, 1.3), _row("Opus", "6 kbit/s", 6.0, 1.9),
        _row("Opus", "6 kbit/s, 60 ms", 6.0, 2.2), _row("Speex wideband", "quality 0", 4.0, None),
    ]  # fmt: skip
    path = tmp_path / "quality.png"
    draw_quality(path, rows, heading="Two nanos")
    assert list(tmp_path.iterdir()) == [path]
    colours = _colours(path)
    assert {"#D55E00", "#CC79A7", "#0072B2", "#009E73"} <= colours
    assert "#B37400" not in colours  # of Codec2, which did not take part
