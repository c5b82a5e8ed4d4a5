"""Where the sound goes. A sink owns time: it empties the ring at its own pace and nobody hurries it."""

from __future__ import annotations

from edge_player.sinks.base import AudioSink
from edge_player.sinks.files import NullSink, PipeSink, WavSink
from edge_player.sinks.paced import PacedSink
from edge_player.sinks.select import open_sink
from edge_player.sinks.sound_device import SoundDeviceSink

__all__ = ["AudioSink", "NullSink", "PacedSink", "PipeSink", "SoundDeviceSink", "WavSink", "open_sink"]
