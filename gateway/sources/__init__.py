"""Where the audio comes from: a file, a directory, standard input, a microphone."""

from __future__ import annotations

from gateway.sources.base import AudioBlock, AudioSource
from gateway.sources.files import DirectorySource, FileSource
from gateway.sources.microphone import InputDevice, MicSource, list_input_devices
from gateway.sources.pipe import PipeSource
from gateway.sources.ring import BlockRing
from gateway.sources.select import select_source

__all__ = [
    "AudioBlock",
    "AudioSource",
    "BlockRing",
    "DirectorySource",
    "FileSource",
    "InputDevice",
    "MicSource",
    "PipeSource",
    "list_input_devices",
    "select_source",
]
