"""Audio files of any usual kind, read as a stream of mono blocks at the rate that is wanted.

libsndfile (soundfile) reads WAV, FLAC and OGG; FFmpeg (PyAV) what is left: MP3, M4A and many more. Both are
imported on first use: a player that only writes sound needs neither.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codec.audio.decoders import (
    FileDecoder,
    NoSoundTrackError,
    NotAudioError,
    OutOfRangeError,
    open_ffmpeg,
    open_sndfile,
)
from codec.audio.kinds import HEAD_BYTES, describe_header_fault, sniff_kind
from codec.audio.resample import Resampler
from codec.checks import clean_samples
from codec.errors import AudioFileError

EXPECTED_KINDS = "WAV/MP3/FLAC/OGG/M4A"

_SHORTFALL = (0.5, 0.02)
"""Seconds and share of its length that a file may lack unnoticed: MP3 headers count the padding of the encoder too."""


class AudioReader:
    """An open audio file. Iterating gives float32 mono blocks [T] at `sample_rate`, T as it comes, never 0.

    A context manager, and read once from start to end. `source_rate` and `source_channels` are the file's own;
    `duration_s` is what its header says, or None. `nonfinite_samples` counts NaN, infinite and absurd values that
    float files may hold, `damaged_packets` what the decoder had to skip, `missing_s` what the header promised and the
    file did not hold, known at its end. `loud_samples` counts those beyond full scale, `peak` is the loudest, both
    before mixing and resampling. `name` is for people. Iterating raises AudioFileError where the file breaks.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        decoder: FileDecoder,
        first_block: NDArray[np.float32],
        *,
        name: str | None = None,
    ) -> None:
        self.path = path
        self.name = str(path) if name is None else name
        self.loud_samples = 0
        self.peak = 0.0
        self.sample_rate = sample_rate
        self.nonfinite_samples = 0
        self.missing_s = 0.0
        self._decoder = decoder
        self._samples_read = 0
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

    @property
    def faults(self) -> str | None:
        """What was wrong with the file as far as it was read, as one sentence; None: nothing."""
        found = []
        if self.nonfinite_samples:
            found.append(f"{self.nonfinite_samples} samples were not finite or absurdly loud and were replaced")
        if self.damaged_packets:
            found.append(f"{self.damaged_packets} packets were damaged and skipped")
        if self.missing_s:
            found.append(f"it ends {self.missing_s:.1f} s before the length in its header: it was cut short")
        return f"{self.name} is damaged: {', '.join(found)}" if found else None

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
                raise AudioFileError(f"{self.name} is damaged: {error}", path=self.path, reason="damaged") from error
        self._note_shortfall()
        tail = self._resampler.flush()
        if tail.size:
            yield tail

    def _note_shortfall(self) -> None:
        if self.duration_s is None:
            return
        missing_s = self.duration_s - self._samples_read / self.source_rate
        if missing_s > max(_SHORTFALL[0], _SHORTFALL[1] * self.duration_s):
            self.missing_s = missing_s

    def _note_level(self, block: NDArray[np.float32]) -> None:
        peak = float(max(block.max(initial=0.0), -block.min(initial=0.0)))
        self.peak = max(self.peak, peak)
        if peak > 1.0:
            self.loud_samples += int(np.count_nonzero(np.abs(block) > 1.0))

    def _convert(self, block: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        # Cleaned before the channels are mixed and before the resampler, which would smear one NaN over many samples.
        self._samples_read += block.shape[0]
        cleaned, replaced = clean_samples(block)
        self.nonfinite_samples += replaced
        self._note_level(cleaned)
        mono = cleaned[:, 0] if cleaned.shape[1] == 1 else cleaned.mean(axis=1, dtype=np.float32)
        converted = self._resampler.process(mono)
        if converted.size:
            yield converted


def open_audio(path: Path | str, sample_rate: int | None, *, name: str | None = None) -> AudioReader:
    """Open a file for streaming as mono at `sample_rate` Hz (None: its own). Memory stays small however long it is.

    name: what messages call it; None: its path. Raises AudioFileError: no such file, not audio, damaged from the start,
    without any sound.
    """
    path = Path(path)
    name = str(path) if name is None else name
    head = _read_head(path)
    refusals: list[NotAudioError] = []
    opened = False
    # libsndfile would only look into an MP3 to leave it to FFmpeg, and prints what it finds odd to standard error.
    for open_decoder in (open_ffmpeg,) if sniff_kind(head) == "MP3" else (open_sndfile, open_ffmpeg):
        try:
            decoder = open_decoder(path)
        except NotAudioError as error:
            refusals.append(error)
            continue
        try:
            first_block = decoder.read()
        except NotAudioError as error:
            refusals.append(error)
            decoder.close()
            continue
        except BaseException:
            decoder.close()
            raise
        if first_block is not None:
            return AudioReader(path, sample_rate or decoder.sample_rate, decoder, first_block, name=name)
        decoder.close()
        opened = True
    if opened:
        raise AudioFileError(f"There is no sound in {name}: the file is empty", path=path, reason="empty")
    raise _explain(path, name, head, refusals)


def read_audio(path: Path | str, sample_rate: int) -> NDArray[np.float32]:
    """A whole file as mono float32 [T] at `sample_rate` Hz. Raises AudioFileError."""
    with open_audio(path, sample_rate) as reader:
        return np.concatenate(list(reader))


def _read_head(path: Path) -> bytes:
    """The first bytes of a file. Raises AudioFileError: not there, no file, not readable, or without a single byte."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioFileError(f"{path} is a folder, not an audio file", path=path, reason="unreadable")
        if not stat.S_ISREG(mode):  # to open a pipe would wait for its writer, for ever if need be
            raise AudioFileError(f"{path} is a pipe or a device, not an audio file", path=path, reason="unreadable")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise AudioFileError(f"File not found at {path}", path=path, reason="missing") from error
    except OSError as error:
        text = f"Cannot read {path}: {error.strerror or error}"
        raise AudioFileError(text, path=path, reason="unreadable") from error
    except ValueError as error:  # a zero byte in the name
        raise AudioFileError(f"Cannot read {str(path)!r}: {error}", path=path, reason="unreadable") from error
    if not head:
        raise AudioFileError(f"There is no sound in {path}: the file is empty", path=path, reason="empty")
    return head


def _explain(path: Path, name: str, head: bytes, refusals: Sequence[NotAudioError]) -> AudioFileError:
    """Why no library could read it, as closely as can be told."""
    for refusal in refusals:
        if isinstance(refusal, OutOfRangeError):
            return AudioFileError(f"{name} has {refusal}", path=path, reason="unsupported")
        if isinstance(refusal, NoSoundTrackError):
            text = f"There is no sound in {name}: it holds no audio track; choose a file with one"
            return AudioFileError(text, path=path, reason="empty")
    kind = sniff_kind(head)
    if kind is not None:
        fault = describe_header_fault(head) or "it is damaged or cut short"
        text = f"{name} begins as {kind} but cannot be read: {fault}; copy or export it again"
        return AudioFileError(text, path=path, reason="damaged")
    text = f"Unsupported file type — expected {EXPECTED_KINDS} ({name})"
    return AudioFileError(text, path=path, reason="unsupported")
