"""Where the audio comes from: files, play lists, addresses on the network, standard input, a microphone."""

from __future__ import annotations

from gateway.sources.base import AudioBlock, AudioSource
from gateway.sources.card.microphone import MicSource
from gateway.sources.conditioned import ConditionedSource
from gateway.sources.files import DirectorySource, FileSource
from gateway.sources.pipe import PipeSource
from gateway.sources.select import select_source
from gateway.sources.series import SeriesSource
from gateway.sources.web.address import AddressSource
from gateway.sources.web.stream import NetworkSource

__all__ = [
    "AddressSource",
    "AudioBlock",
    "AudioSource",
    "ConditionedSource",
    "DirectorySource",
    "FileSource",
    "MicSource",
    "NetworkSource",
    "PipeSource",
    "SeriesSource",
    "select_source",
]
