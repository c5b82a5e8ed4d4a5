"""From what the user wrote after --source to the object that reads it."""

from __future__ import annotations

from pathlib import Path

from gateway.config import SourceConfig
from gateway.errors import SourceError
from gateway.sources.base import AudioSource
from gateway.sources.files import DirectorySource, FileSource
from gateway.sources.microphone import MicSource
from gateway.sources.pipe import PipeSource

__all__ = ["select_source"]


def select_source(config: SourceConfig, *, sample_rate: int, wait: bool = False) -> AudioSource:
    """Build, not open, the source for a codec of `sample_rate` Hz.

    `mic`, `-`, a directory or a file. Raises SourceError (exit 66) for an address on the network and for nothing.
    """
    target = config.target
    if target == "mic":
        return MicSource(config.device, sample_rate=sample_rate, wait=wait)
    if target == "-":
        return PipeSource(rate=config.rate, channels=config.channels, sample_rate=sample_rate, live=config.live)
    if "://" in target:
        raise SourceError(
            f"{target} is on the network, expected mic, a file, a directory or -. "
            f"Pipe it in: ffmpeg -i {target} -f s16le -ar {sample_rate} -ac 1 - | "
            f"gateway run --source - --rate {sample_rate}"
        )
    path = Path(target).expanduser()
    if path.is_dir():
        return DirectorySource(path, sample_rate=sample_rate, loop=config.loop)
    return FileSource(path, sample_rate=sample_rate, loop=config.loop)
