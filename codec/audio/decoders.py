"""libsndfile and FFmpeg behind one small interface: blocks of float32 [T, channels] at the file's own rate."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av
    import soundfile

BLOCK_FRAMES = 8192
"""Samples per channel in one read of libsndfile: 0.2 s at 44.1 kHz."""

MAX_CHANNELS = 64
"""A header that claims more is no recording of ours; libsndfile alone would allocate for 1024."""

MIN_RATE, MAX_RATE = 1000, 768000
"""Hz. A header that claims less would become hours of sound, and gigabytes, in the resampler."""

_NOT_BY_SNDFILE = {"MP3", "OPUS"}
"""Formats and subtypes left to FFmpeg. After every read soundfile seeks to where it is; in MP3 that is not exact, and
the blocks do not fit together (libsndfile 1.2.2: a steady tone comes out 1 to 3 dB lower), in Opus it is slow."""

_FFMPEG_FORMATS = "mov,mp3,aac,ogg,flac,wav,w64,aiff,caf,matroska,webm,asf,amr,au,ac3,eac3,opus"
"""Containers of sound. Others stay shut: FFmpeg also knows play lists, which open further files and addresses, and
formats that see a picture in any text."""


class NotAudioError(Exception):
    """This library cannot read the file, or not any further."""


class OutOfRangeError(NotAudioError):
    """Audio, but of no recording; the text completes the sentence `the file has …`."""


class NoSoundTrackError(NotAudioError):
    """A container that was read and holds no sound, only pictures say."""


def _check_range(sample_rate: int, channels: int) -> None:
    if not 1 <= channels <= MAX_CHANNELS:
        raise OutOfRangeError(f"{channels} channels, expected 1 to {MAX_CHANNELS}")
    if not MIN_RATE <= sample_rate <= MAX_RATE:
        raise OutOfRangeError(f"a sample rate of {sample_rate} Hz, expected {MIN_RATE} to {MAX_RATE}")


class FileDecoder(Protocol):
    """An open file, read from start to end."""

    sample_rate: int
    channels: int
    duration_s: float | None
    damaged_packets: int

    def read(self) -> NDArray[np.float32] | None:
        """The next block [T, channels], T > 0, or None at the end. Raises NotAudioError."""

    def close(self) -> None:
        """Close the file. Safe to call twice."""


class ByteSource(Protocol):
    """Bytes to decode: a file, or a connection that gives some."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, b"" at the end."""

    def close(self) -> None:
        """Let go of it. Safe to call twice."""


def open_sndfile(path: Path) -> FileDecoder:
    """Open with libsndfile. Raises NotAudioError."""
    import soundfile

    try:
        # TypeError: by its name libsndfile takes the file for headerless audio, whose rate nobody knows.
        file = soundfile.SoundFile(path.absolute())  # it takes `-` for standard input, and closes that
    except (soundfile.SoundFileError, TypeError, ValueError) as error:
        raise NotAudioError(str(error)) from error
    try:
        if {file.format, file.subtype} & _NOT_BY_SNDFILE:
            raise NotAudioError(f"{file.format} {file.subtype} is left to FFmpeg")
        _check_range(file.samplerate, file.channels)
    except NotAudioError:
        file.close()
        raise
    return _SndfileDecoder(file)


class _SndfileDecoder:
    def __init__(self, file: soundfile.SoundFile) -> None:
        self._file = file
        self.sample_rate: int = file.samplerate
        self.channels: int = file.channels
        # Headers of unfinished recordings state lengths near 2^31 or 2^63.
        self.duration_s: float | None = file.frames / file.samplerate if 0 < file.frames < 2**40 else None
        self.damaged_packets = 0

    def read(self) -> NDArray[np.float32] | None:
        import soundfile

        try:
            block: NDArray[np.float32] = self._file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, ValueError) as error:
            raise NotAudioError(str(error)) from error
        return block if block.shape[0] else None

    def close(self) -> None:
        self._file.close()


def open_ffmpeg(path: Path) -> FileDecoder:
    """Open with FFmpeg. Raises NotAudioError."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise NotAudioError(str(error)) from error
    return open_ffmpeg_object(file)


def open_ffmpeg_object(
    file: ByteSource, *, more_formats: tuple[str, ...] = (), options: Mapping[str, str] | None = None
) -> FileDecoder:
    """Open bytes from anywhere with FFmpeg; closes `file` in the end, also where this fails.

    file: with `seek` where FFmpeg may seek; what its `read` raises comes out of the decoder as it is. more_formats:
    containers besides the usual ones of sound. options: FFmpeg's own, for the container. Raises NotAudioError.
    """
    import av

    whitelist = {"format_whitelist": ",".join((_FFMPEG_FORMATS, *more_formats))}
    try:
        # A file object, not a name: FFmpeg reads addresses and commands into names.
        container = av.open(file, mode="r", options={**(options or {}), **whitelist})
    except (av.FFmpegError, ValueError) as error:
        file.close()
        raise NotAudioError(str(error)) from error
    except BaseException:
        file.close()
        raise
    try:
        return _FfmpegDecoder(container, file)
    except BaseException:
        container.close()
        file.close()
        raise


class _FfmpegDecoder:
    def __init__(self, container: av.container.InputContainer, file: ByteSource) -> None:
        self._container = container
        self._file = file
        self.damaged_packets = 0
        if not container.streams.audio:
            raise NoSoundTrackError("no audio stream")
        stream = container.streams.audio[0]
        # Container and stream may both be silent about the length.
        if stream.duration is not None and stream.time_base is not None:
            self.duration_s: float | None = float(stream.duration * stream.time_base)
        else:
            self.duration_s = None if container.duration is None else container.duration / 1_000_000
        self._blocks = self._decode(stream)
        # Only decoded sound tells the rate: a header of HE-AAC names half of it.
        self.sample_rate = 0
        self.channels = 0
        self._first = next(self._blocks, None)
        if self._first is None:
            if self.damaged_packets:
                raise NotAudioError("nothing could be decoded")
            self.sample_rate, self.channels = stream.rate or 1, stream.channels or 1

    def read(self) -> NDArray[np.float32] | None:
        if self._first is not None:
            block, self._first = self._first, None
            return block
        return next(self._blocks, None)

    def close(self) -> None:
        self._blocks.close()
        self._container.close()
        self._file.close()

    def _decode(self, stream: av.AudioStream) -> Generator[NDArray[np.float32]]:
        import av

        resampler: av.AudioResampler | None = None
        for packet in self._packets(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self.damaged_packets += 1  # players skip it too, and the next one mostly decodes
                continue
            for frame in frames:
                if resampler is None:
                    self.sample_rate, self.channels = frame.sample_rate, len(frame.layout.channels)
                    _check_range(self.sample_rate, self.channels)
                    resampler = av.AudioResampler("fltp", frame.layout, frame.sample_rate)
                yield from self._convert(resampler, frame)

    def _packets(self, stream: av.AudioStream) -> Iterator[av.Packet[av.AudioStream]]:
        import av

        try:
            yield from self._container.demux(stream)
        except av.FFmpegError:
            self.damaged_packets += 1  # cut short: what came before is still good

    def _convert(self, resampler: av.AudioResampler, frame: av.AudioFrame) -> Iterator[NDArray[np.float32]]:
        import av

        try:
            converted = resampler.resample(frame)
        except (av.FFmpegError, ValueError):
            # The sound changed its rate or channels half way; it goes on at those of its start.
            changed = av.AudioResampler("fltp", resampler.layout, resampler.rate)
            converted = [*changed.resample(frame), *changed.resample(None)]
        for part in converted:
            block = np.ascontiguousarray(part.to_ndarray().T, dtype=np.float32)
            if block.size:
                yield block
