"""Audio files: one, or a directory of them one after another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from codec import AudioFileError, AudioReader, open_audio
from gateway.errors import SourceError
from gateway.sources.base import AudioBlock

__all__ = ["AUDIO_SUFFIXES", "DirectorySource", "FileSource"]

logger = logging.getLogger(__name__)

#: What a directory is searched for. A file named outright may end in anything: its content decides.
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a"})


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

    @property
    def description(self) -> str:
        return f"file {self._path}"

    @property
    def counters(self) -> Mapping[str, int]:
        """Compressed packets of the file that could not be decoded, over all passes."""
        now = 0 if self._reader is None else self._reader.damaged_packets
        return {"input_damaged_packets": self._damaged_packets + now}

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


class DirectorySource:
    """Every audio file of a directory in the order of their names; again and again with `loop`.

    A file that cannot be read is skipped, said once and counted in `files_skipped`. Raises SourceError (exit 66)
    where the directory holds no audio file, or none that can be read.
    """

    live = False
    overflows = 0

    def __init__(self, directory: Path, *, sample_rate: int, loop: bool = False) -> None:
        self._directory = directory
        self._sample_rate = sample_rate
        self._loop = loop
        self._paths: list[Path] = []
        self.files_skipped = 0

    @property
    def description(self) -> str:
        return f"directory {self._directory}"

    @property
    def counters(self) -> Mapping[str, int]:
        """Files passed over because they could not be read."""
        return {"input_files_skipped": self.files_skipped}

    def __enter__(self) -> Self:
        self._paths = sorted(path for path in self._directory.iterdir() if path.suffix.lower() in AUDIO_SUFFIXES)
        if not self._paths:
            raise SourceError(
                f"No audio files in {self._directory} — expected WAV/MP3/FLAC/OGG/M4A. Put some there, or name a file."
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._paths = []

    def blocks(self, stop: threading.Event) -> Iterator[AudioBlock]:
        """See AudioSource."""
        while not stop.is_set():
            played = 0
            for path in list(self._paths):
                if stop.is_set():
                    return
                try:
                    with FileSource(path, sample_rate=self._sample_rate) as source:
                        yield from source.blocks(stop)
                    played += 1
                except (AudioFileError, SourceError) as error:
                    self.files_skipped += 1
                    self._paths.remove(path)  # said once, not on every pass of a loop
                    logger.warning("skipped %s: %s", path.name, error)
            if played == 0 and not stop.is_set():
                raise SourceError(
                    f"None of the audio files in {self._directory} can be read. Try one: codec encode FILE"
                )
            if not self._loop:
                return
