"""Audio files: one, or all of a directory."""

from __future__ import annotations

import logging
import os
import random
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from codec import AudioReader, open_audio
from gateway.errors import SourceError
from gateway.sources.base import AudioBlock
from gateway.sources.series import SeriesSource

__all__ = ["AUDIO_SUFFIXES", "DirectorySource", "FileSource", "find_audio_files"]

logger = logging.getLogger(__name__)

#: What a directory is searched for. A file named outright may end in anything: its content decides.
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".oga", ".aiff", ".aif"})


class FileSource:
    """One audio file of any rate and number of channels, streamed; again and again with `loop`.

    Entering raises AudioFileError (exit 66) where the file is missing, empty or no audio.
    """

    live = False
    overflows = 0

    def __init__(self, path: Path, *, sample_rate: int, loop: bool = False) -> None:
        self._path = path
        self._sample_rate = sample_rate
        self._loop = loop
        self._reader: AudioReader | None = None
        self._damaged_packets = 0
        self._nonfinite_samples = 0
        self._faults_said = False

    @property
    def description(self) -> str:
        return f"file {self._path}"

    @property
    def counters(self) -> Mapping[str, int]:
        """Compressed packets that could not be decoded, and samples that were no sound, over all passes."""
        reader = self._reader
        return {
            "input_damaged_packets": self._damaged_packets + (0 if reader is None else reader.damaged_packets),
            "input_nonfinite_samples": self._nonfinite_samples + (0 if reader is None else reader.nonfinite_samples),
        }

    def __enter__(self) -> Self:
        self._reader = open_audio(self._path, self._sample_rate)
        self._reader.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            self._damaged_packets += reader.damaged_packets
            self._nonfinite_samples += reader.nonfinite_samples
            if reader.faults is not None and not self._faults_said:
                self._faults_said = True  # not once more on every pass of a loop
                logger.warning("%s", reader.faults)
            reader.__exit__(kind, error, trace)

    def blocks(self, stop: threading.Event) -> Iterator[AudioBlock]:
        """See AudioSource. Raises SourceError where a whole pass gave no sample, so that a loop never spins."""
        while self._reader is not None and not stop.is_set():
            samples = 0
            for block in self._reader:
                if stop.is_set():
                    return
                samples += len(block)
                yield AudioBlock(block)
            if samples == 0:
                raise SourceError(f"No audio in {self._path}: the file holds no samples. Give a file with sound in it.")
            if not self._loop:
                return
            self.__exit__(None, None, None)
            self.__enter__()


class DirectorySource(SeriesSource):
    """Every audio file of a directory and of the folders in it, one after another; again and again with `loop`.

    In the order of their paths, numbers by their value (2 before 10); with `shuffle` in another order on every pass.
    Hidden names and linked folders are left out. The directory is looked at anew on every pass: what was added joins.
    Raises SourceError (exit 66) where it holds no audio file, or none that can be read.
    """

    def __init__(
        self,
        directory: Path,
        *,
        sample_rate: int,
        loop: bool = False,
        shuffle: bool = False,
        rng: random.Random | None = None,
    ) -> None:
        super().__init__(
            f"directory {directory}",
            lambda: find_audio_files(directory),
            lambda target: FileSource(Path(target), sample_rate=sample_rate),
            loop=loop,
            shuffle=shuffle,
            rng=rng,
        )


def find_audio_files(directory: Path) -> list[str]:
    """Paths of the audio files in a directory and below it, in order. Raises SourceError where there is none."""
    found: list[Path] = []
    try:
        os.scandir(directory).close()  # os.walk is silent about the one that cannot be read
        for folder, folders, names in os.walk(directory):
            folders[:] = [name for name in folders if not name.startswith(".")]
            found.extend(Path(folder, name) for name in names if not name.startswith("."))
    except OSError as error:
        raise SourceError(f"Cannot read the directory {directory}: {error.strerror or error}.") from error
    files = sorted((path for path in found if path.suffix.lower() in AUDIO_SUFFIXES), key=_natural)
    if not files:
        raise SourceError(
            f"No audio files in {directory} — expected WAV/MP3/FLAC/OGG/M4A. Put some there, or name a file."
        )
    return [str(path) for path in files]


def _natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key: without case, and numbers by their value. The path itself settles what is still equal."""
    parts = re.split(r"([0-9]+)", str(path).casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], str(path)
