"""Which sink `--out` means."""

from __future__ import annotations

from pathlib import Path

from codec.audio.cards import CardOptions
from edge_player.config import SinkConfig
from edge_player.sinks.base import AudioSink
from edge_player.sinks.files import NullSink, PipeSink, WavSink
from edge_player.sinks.sound_device import SoundDeviceSink


def open_sink(config: SinkConfig, *, sample_rate: int) -> AudioSink:
    """`speaker`, `-` (standard output), `null`, or a path of a WAV file. `sample_rate` of the codec, Hz.

    A file is created when the sink starts. A card is opened now, since the play-out needs its rate: SinkError. Whoever
    does not start the sink stops it.
    """
    if config.out == "speaker":
        return SoundDeviceSink(card_options(config))
    if config.out == "-":
        return PipeSink(sample_rate)
    if config.out == "null":
        return NullSink(sample_rate)
    return WavSink(Path(config.out), sample_rate)


def card_options(config: SinkConfig) -> CardOptions:
    """What the settings say about the sound card."""
    return CardOptions(
        device=config.device,
        sample_rate=config.rate,
        channels=config.channel_numbers,
        exclusive=config.exclusive,
    )
