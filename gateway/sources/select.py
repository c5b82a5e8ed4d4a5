"""From what the user wrote after --source to the object that reads it."""

from __future__ import annotations

import os
import threading
import urllib.parse
from pathlib import Path

from codec.audio.web.client import is_address, shown
from gateway.config import MicrophoneConfig, SourceConfig
from gateway.errors import SourceError
from gateway.sources.base import AudioSource
from gateway.sources.card.microphone import MicSource
from gateway.sources.files import DirectorySource, FileSource
from gateway.sources.pipe import PipeSource
from gateway.sources.playlist import is_list, local_targets
from gateway.sources.series import SeriesSource
from gateway.sources.web.address import AddressSource
from gateway.sources.web.stream import NetworkSource

__all__ = ["select_source"]


def select_source(
    config: SourceConfig,
    *,
    sample_rate: int,
    microphone: MicrophoneConfig | None = None,
    wait: bool = False,
    stop: threading.Event | None = None,
) -> AudioSource:
    """Build, not open, the source for a codec of `sample_rate` Hz.

    `mic`, `-`, an address, a directory, a play list (by its suffix) or a file. wait: for a microphone or an address
    that is not there as long as it takes. stop: ends that wait. Raises SourceError (exit 66) for an address that is
    neither http nor https.
    """
    target = config.target
    if target == "mic":
        return MicSource(microphone, sample_rate=sample_rate, wait=wait)
    if target == "-":
        return PipeSource(
            rate=config.rate,
            channels=config.channels,
            sample_format=config.format,
            sample_rate=sample_rate,
            live=config.live,
        )
    if target.lower().startswith("file://"):
        target = urllib.parse.unquote(urllib.parse.urlsplit(target).path, errors="surrogateescape")
    if is_address(target):
        return _address_source(config, target, sample_rate=sample_rate, wait=wait, stop=stop)
    # By os.path, which takes a name that no file can have for one that is not there: FileSource says what is wrong.
    path = Path(os.path.expanduser(target))
    if os.path.isdir(path):
        return DirectorySource(path, sample_rate=sample_rate, loop=config.loop, shuffle=config.shuffle)
    if not is_list(path.name):
        return FileSource(path, sample_rate=sample_rate, loop=config.loop)

    def open_entry(entry: str) -> AudioSource:
        if is_address(entry):
            return NetworkSource(entry, sample_rate=sample_rate, stop=stop)
        return FileSource(Path(entry), sample_rate=sample_rate)

    return SeriesSource(
        f"play list {path}",
        lambda: local_targets(path),
        open_entry,
        loop=config.loop,
        shuffle=config.shuffle,
        wait=wait,
    )


def _address_source(
    config: SourceConfig, target: str, *, sample_rate: int, wait: bool, stop: threading.Event | None
) -> AudioSource:
    if not target.lower().startswith(("http://", "https://")):
        raise SourceError(
            f"{shown(target)} cannot be opened, expected an address that starts with http:// or https://."
        )

    def alone(address: str) -> AudioSource:
        return NetworkSource(
            address, sample_rate=sample_rate, live_content=config.live, loop=config.loop, wait=wait, stop=stop
        )

    def all_of(name: str, addresses: list[str]) -> AudioSource:
        return SeriesSource(
            name,
            lambda: addresses,
            lambda address: NetworkSource(address, sample_rate=sample_rate, live_content=config.live, stop=stop),
            loop=config.loop,
            shuffle=config.shuffle,
            wait=wait,
        )

    return AddressSource(target, alone, all_of)
