"""Which sink `--out` means."""

from __future__ import annotations

from pathlib import Path

from edge_player.sinks.base import AudioSink
from edge_player.sinks.files import NullSink, PipeSink, WavSink
from edge_player.sinks.sound_device import SoundDeviceSink


def open_sink(out: str, *, sample_rate: int, device: str | None = None) -> AudioSink:
    """`speaker`, `-` (standard output), `null`, or a path of a WAV file. `sample_rate` of the codec, Hz.

    A file is created when the sink starts. A card is looked for now, since the play-out needs its rate: SinkError.
    """
    if out == "speaker":
        return SoundDeviceSink(device)
    if out == "-":
        return PipeSink(sample_rate)
    if out == "null":
        return NullSink(sample_rate)
    return WavSink(Path(out), sample_rate)
