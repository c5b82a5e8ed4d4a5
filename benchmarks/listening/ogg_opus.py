"""Small files that browsers play: Ogg Opus, the same bytes for the same sound."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from benchmarks.listening.clips import Samples
from benchmarks.quality.contenders import RATE_HZ
from codec.files.whole_file import WholeFile

BIT_RATE = 32_000
"""For mono at 16 kHz: what it adds is far below what the codecs under comparison do."""


def write_ogg_opus(path: Path, samples: Samples) -> None:
    """Write mono `samples` [T] at RATE_HZ."""
    pcm = np.round(32767 * np.clip(samples, -1.0, 1.0)).astype(np.int16)
    # bitexact: the serial number of an Ogg stream is random otherwise, and every file differs each time it is made.
    options = {"fflags": "+bitexact"}
    with WholeFile(path) as file, av.open(str(file.path), "w", format="ogg", options=options) as container:
        stream = container.add_stream("libopus", rate=RATE_HZ, options={"flags": "+bitexact"})
        stream.layout = "mono"
        stream.bit_rate = BIT_RATE
        frame = av.AudioFrame.from_ndarray(pcm[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        frame.pts = 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
