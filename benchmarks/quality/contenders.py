"""Codecs that are compared: nano in this process, the others by their own programs, which Debian packages."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from codec import Resampler, Tokenizer, read_audio

RATE_HZ = 16000
"""Of all samples here, in and out."""
TIMEOUT_S = 300
"""For one program and one recording: far more than any of them needs."""

CODEC2_RATE_HZ = 8000
CODEC2_FRAMES = {"3200": (64, 160), "2400": (48, 160), "1600": (64, 320), "1200": (48, 320), "700C": (28, 320)}
"""Bits and samples of a frame. A file has whole bytes, so that a frame of 28 bits lies in 32."""

Samples = NDArray[np.float32]


class ContenderError(Exception):
    """A codec cannot be run here; the text says why and what to install."""


@dataclass(frozen=True, slots=True, eq=False)
class Rebuilt:
    """What a codec made of a recording. codec, variant: as in `Opus`, `6 kbit/s`; samples [T] at RATE_HZ, later than
    the recording by the codec's own delay where it has one; payload_bits: of its frames, without file headers and
    checksums; payload_s: the time that just these frames last, which need not be the length of the recording."""

    codec: str
    variant: str
    samples: Samples
    payload_bits: int
    payload_s: float

    @property
    def kbps(self) -> float:
        """Payload of a running stream in kbit/s: nothing of what fills the last frame counts against a codec."""
        return self.payload_bits / self.payload_s / 1000


class Contender(Protocol):
    """One codec at one or more rates."""

    @property
    def codec(self) -> str:
        """Its name, the same in all that it rebuilds."""

    @property
    def variants(self) -> Sequence[str]:
        """What `rebuild` gives, in this order."""

    def rebuild(self, recording: Samples) -> Iterator[Rebuilt]:
        """`recording` [T] at RATE_HZ, encoded and decoded at every rate. Raises ContenderError."""


class Nano:
    """Our own codec: encoded once, decoded from the first layers alone, once for each of `layers`."""

    def __init__(self, tokenizer: Tokenizer, layers: Sequence[int], *, name: str | None = None) -> None:
        if tokenizer.spec.sample_rate != RATE_HZ:
            raise ContenderError(f"{tokenizer.spec.name} is for {tokenizer.spec.sample_rate} Hz, not {RATE_HZ}")
        if not all(1 <= count <= tokenizer.spec.num_layers for count in layers):
            raise ContenderError(f"{tokenizer.spec.name} has 1 to {tokenizer.spec.num_layers} layers, not {layers}")
        self.tokenizer, self.layers = tokenizer, tuple(layers)
        self.codec = name or tokenizer.spec.name

    @property
    def variants(self) -> Sequence[str]:
        """See Contender."""
        return [_layers_text(count) for count in self.layers]

    def rebuild(self, recording: Samples) -> Iterator[Rebuilt]:
        """See Contender."""
        spec = self.tokenizer.spec
        tokens = self.tokenizer.encode((recording, RATE_HZ))
        frames = tokens.codes[0].shape[1]
        for count in self.layers:
            (samples,), _ = self.tokenizer.decode(tokens, layers=count)
            bits = frames * count * spec.bits_per_code
            yield Rebuilt(self.codec, _layers_text(count), samples, bits, frames * spec.frame_duration_s)


@dataclass(frozen=True, slots=True)
class Opus:
    """opusenc and opusdec. rates: (kbit/s, milliseconds in a frame); 60 is its longest frame."""

    rates: Sequence[tuple[int, int]] = ((6, 20), (6, 60), (8, 20))
    codec: str = "Opus"

    @property
    def variants(self) -> Sequence[str]:
        """See Contender."""
        return [self._variant(*rate) for rate in self.rates]

    def rebuild(self, recording: Samples) -> Iterator[Rebuilt]:
        """See Contender."""
        encoder, decoder = (find_program(name, "opus-tools") for name in ("opusenc", "opusdec"))
        for kbps, frame_ms in self.rates:
            with tempfile.TemporaryDirectory(prefix="voxwire-") as folder:
                sound, coded, decoded = (Path(folder, name) for name in ("in.wav", "coded.opus", "out.wav"))
                soundfile.write(sound, recording, RATE_HZ, subtype="PCM_16")
                # A constant rate is the rate it says; the variable one is 5.7 kbit/s where 6 were asked for.
                options = ("--hard-cbr", "--bitrate", str(kbps), "--framesize", str(frame_ms))
                run_program([encoder, "--quiet", *options, str(sound), str(coded)])
                run_program([decoder, "--quiet", "--no-dither", "--rate", str(RATE_HZ), str(coded), str(decoded)])
                samples = read_audio(decoded, RATE_HZ)
                yield Rebuilt(self.codec, self._variant(kbps, frame_ms), samples, *_ogg_payload(coded))

    @staticmethod
    def _variant(kbps: int, frame_ms: int) -> str:
        return f"{kbps} kbit/s" if frame_ms == 20 else f"{kbps} kbit/s, {frame_ms} ms"


@dataclass(frozen=True, slots=True)
class Codec2:
    """c2enc and c2dec. It knows 8 kHz only: nothing above 4 kHz comes back."""

    variants: Sequence[str] = tuple(CODEC2_FRAMES)
    codec: str = "Codec2"

    def rebuild(self, recording: Samples) -> Iterator[Rebuilt]:
        """See Contender."""
        encoder, decoder = (find_program(name, "codec2") for name in ("c2enc", "c2dec"))
        narrow = resample(recording, RATE_HZ, CODEC2_RATE_HZ)
        for mode in self.variants:
            frame_bits, frame_size = CODEC2_FRAMES[mode]
            # It drops the samples behind the last whole frame, and speaks a frame later: two more frames of silence.
            frames = -(-narrow.size // frame_size) + 2
            padded = np.pad(narrow, (0, frames * frame_size - narrow.size))
            pcm = np.round(32767 * np.clip(padded, -1.0, 1.0)).astype("<i2")
            coded = run_program([encoder, mode, "-", "-"], pcm.tobytes())
            if len(coded) != frames * -(-frame_bits // 8):
                raise ContenderError(f"c2enc {mode} gave {len(coded)} bytes for {frames} frames of {frame_bits} bits")
            decoded = np.frombuffer(run_program([decoder, mode, "-", "-"], coded), dtype="<i2")
            samples = resample((decoded / 32768).astype(np.float32), CODEC2_RATE_HZ, RATE_HZ)
            yield Rebuilt(self.codec, mode, samples, frames * frame_bits, frames * frame_size / CODEC2_RATE_HZ)


@dataclass(frozen=True, slots=True)
class Speex:
    """speexenc and speexdec, wideband, at its lowest qualities."""

    qualities: Sequence[int] = (0, 1, 2)
    codec: str = "Speex wideband"

    @property
    def variants(self) -> Sequence[str]:
        """See Contender."""
        return [self._variant(quality) for quality in self.qualities]

    def rebuild(self, recording: Samples) -> Iterator[Rebuilt]:
        """See Contender."""
        encoder, decoder = (find_program(name, "speex") for name in ("speexenc", "speexdec"))
        for quality in self.qualities:
            with tempfile.TemporaryDirectory(prefix="voxwire-") as folder:
                sound, coded, decoded = (Path(folder, name) for name in ("in.wav", "coded.spx", "out.wav"))
                soundfile.write(sound, recording, RATE_HZ, subtype="PCM_16")
                run_program([encoder, "--wideband", "--quality", str(quality), str(sound), str(coded)])
                run_program([decoder, str(coded), str(decoded)])
                samples = read_audio(decoded, RATE_HZ)
                yield Rebuilt(self.codec, self._variant(quality), samples, *_ogg_payload(coded))

    @staticmethod
    def _variant(quality: int) -> str:
        return f"quality {quality}"


def _layers_text(count: int) -> str:
    return "1 layer" if count == 1 else f"{count} layers"


def find_program(name: str, package: str) -> str:
    """Its path; ContenderError that names the Debian package where it is not installed."""
    path = shutil.which(name)
    if path is None:
        raise ContenderError(f"there is no {name} on this machine: apt-get install {package}")
    return path


def run_program(command: Sequence[str], given: bytes = b"") -> bytes:
    """What it writes to its standard output; ContenderError where it fails."""
    name = Path(command[0]).name
    try:
        answer = subprocess.run(command, input=given, capture_output=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise ContenderError(f"{name} did not end within {TIMEOUT_S} s") from error
    if answer.returncode != 0:
        words = answer.stderr.decode(errors="replace").strip() or "no word"
        raise ContenderError(f"{name} ended with code {answer.returncode}: {words[-500:]}")
    return answer.stdout


def _ogg_payload(path: Path) -> tuple[int, float]:
    """Bits of the audio packets in an Ogg file, and the seconds they last; without the last, which is often shorter."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        packets = [(packet.size, packet.duration or 0, packet.time_base) for packet in container.demux(stream)]
    packets = [packet for packet in packets if packet[0]]
    counted = packets[:-1] or packets
    return 8 * sum(size for size, _, _ in counted), float(sum(duration * base for _, duration, base in counted))


def resample(samples: Samples, in_rate: int, out_rate: int) -> Samples:
    """`samples` [T] at another rate, all at once."""
    resampler = Resampler(in_rate, out_rate)
    return np.concatenate([resampler.process(samples), resampler.flush()])
