"""Audio in and out, by one name: files as streams of mono blocks, sample rates, WAV files."""

from __future__ import annotations

from codec.reader import AudioReader, open_audio, read_audio
from codec.resample import Resampler
from codec.wav import WavWriter

__all__ = ["AudioReader", "Resampler", "WavWriter", "open_audio", "read_audio"]
