"""Audio files of any usual kind, read as a stream of mono blocks at the rate that is wanted.

libsndfile (soundfile) reads WAV, FLAC and OGG; FFmpeg (PyAV) what is left: MP3, M4A and many more. Both are
imported on first use: a player that only writes sound needs neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codec.audio.decoders import FileDecoder, NotAudioError, open_ffmpeg, open_sndfile
from codec.audio.resample import Resampler
from codec.checks import clean_samples
from codec.errors import AudioFileError

EXPECTED_KINDS = "WAV/MP3/FLAC/OGG/M4A"


class AudioReader:
    """An open audio file. Iterating gives float32 mono blocks [T] at `sample_rate`, T as it comes, never 0.

    A context manager, and read once from start to end. `source_rate` and `source_channels` are the file's own;
    `duration_s` is what its header says, or None. `nonfinite_samples` counts NaN, infinite and absurd values that
    float files may hold, `damaged_packets` what the decoder had to skip. Iterating raises AudioFileError where the
    file breaks.
    """

    def __init__(self, path: Path, sample_rate: int, decoder: FileDecoder, first_block: NDArray[np.float32]) -> None:
        self.path = path
        self.sample_rate = sample_rate
        self.nonfinite_samples = 0
        self._decoder = decoder
        self._first_block: NDArray[np.float32] | None = first_block
        self._resampler = Resampler(decoder.sample_rate, sample_rate)

    @property
    def source_rate(self) -> int:
        """Sample rate of the file, Hz."""
        return self._decoder.sample_rate

    @property
    def source_channels(self) -> int:
        """Channels of the file; they are averaged."""
        return self._decoder.channels

    @property
    def duration_s(self) -> float | None:
        """Length as the header states it; None where it does not."""
        return self._decoder.duration_s

    @property
    def damaged_packets(self) -> int:
        """Compressed packets that could not be decoded so far."""
        return self._decoder.damaged_packets

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._decoder.close()

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        if self._first_block is None:
            return  # read already
        block: NDArray[np.float32] | None = self._first_block
        self._first_block = None
        while block is not None:
            yield from self._convert(block)
            try:
                block = self._decoder.read()
            except NotAudioError as error:
                raise AudioFileError(f"{self.path} is damaged: {error}", path=self.path, reason="damaged") from error
        tail = self._resampler.flush()
        if tail.size:
            yield tail

    def _convert(self, block: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        # Cleaned before the channels are mixed and before the resampler, which would smear one NaN over many samples.
        cleaned, replaced = clean_samples(block)
        self.nonfinite_samples += replaced
        mono = cleaned[:, 0] if cleaned.shape[1] == 1 else cleaned.mean(axis=1, dtype=np.float32)
        converted = self._resampler.process(mono)
        if converted.size:
            yield converted


def open_audio(path: Path | str, sample_rate: int) -> AudioReader:
    """Open a file for streaming as mono at `sample_rate` Hz. Memory stays small however long the file is.

    Raises AudioFileError: no such file, not audio, without any sound.
    """
    path = Path(path)
    _check_readable(path)
    opened = False
    for open_decoder in (open_sndfile, open_ffmpeg):
        try:
            decoder = open_decoder(path)
        except NotAudioError:
            continue
        try:
            first_block = decoder.read()
        except NotAudioError:
            decoder.close()
            continue
        except BaseException:
            decoder.close()
            raise
        if first_block is not None:
            return AudioReader(path, sample_rate, decoder, first_block)
        decoder.close()
        opened = True
    if opened:
        raise AudioFileError(f"There is no sound in {path}: the file is empty", path=path, reason="empty")
    raise AudioFileError(f"Unsupported file type — expected {EXPECTED_KINDS} ({path})", path=path, reason="unsupported")


def read_audio(path: Path | str, sample_rate: int) -> NDArray[np.float32]:
    """A whole file as mono float32 [T] at `sample_rate` Hz. Raises AudioFileError."""
    with open_audio(path, sample_rate) as reader:
        return np.concatenate(list(reader))


def _check_readable(path: Path) -> None:
    if path.is_dir():
        raise AudioFileError(f"{path} is a folder, not an audio file", path=path, reason="unreadable")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise AudioFileError(f"File not found at {path}", path=path, reason="missing") from error
    except OSError as error:
        text = f"Cannot read {path}: {error.strerror or error}"
        raise AudioFileError(text, path=path, reason="unreadable") from error
    if empty:
        raise AudioFileError(f"There is no sound in {path}: the file is empty", path=path, reason="empty")
