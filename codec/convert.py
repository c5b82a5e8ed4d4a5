"""Whole files through the codec: audio to a token file and back, in streams, whatever their length."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codec.audio.reader import open_audio
from codec.audio.wav import WavWriter
from codec.errors import CodecError, CodesError, ModelError
from codec.framing import FrameAssembler
from codec.progress import Progress
from codec.session import Decoder, Encoder
from codec.spec import CodecSpec
from codec.tokens import TokenReader, TokenWriter

FRAMES_PER_CALL = 25
"""Long steps keep the model busy and the interpreter idle."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a conversion did. `rtf`: seconds of work per second of sound, files included."""

    frames: int
    num_samples: int
    seconds: float
    bytes_written: int
    elapsed_s: float
    rtf: float
    replaced_samples: int


def encode_file(source: Path, target: Path, encoder: Encoder, *, layers: int | None = None) -> Conversion:
    """Encode an audio file into a token file, which is whole or not there at all.

    Raises AudioFileError, OutputFileError.
    """
    spec = encoder.spec
    started = time.monotonic()
    with (
        open_audio(source, spec.sample_rate) as reader,
        _whole_or_not_at_all(source, target) as path,
        TokenWriter(path, spec, layers=layers) as writer,
        encoder.session() as session,
        Progress(f"encoding {source.name}", reader.duration_s) as progress,
    ):
        num_samples = 0
        assembler = FrameAssembler(spec.frame_size * FRAMES_PER_CALL)
        for block in reader:
            num_samples += block.size
            for chunk in assembler.push(block):
                writer.write(session.encode(chunk)[0])
            progress.update(num_samples / spec.sample_rate)
        # Silence to push the last samples out of the codec's delay; then whole frames, and no more of them than needed.
        needed = -(-(num_samples + spec.delay_samples) // spec.frame_size)
        rest = np.zeros((needed - writer.frames_written) * spec.frame_size, dtype=np.float32)
        pending = assembler.pending
        remainder = assembler.flush()
        if remainder is not None:
            rest[:pending] = remainder[:pending]
        if rest.size:
            writer.write(session.encode(rest)[0])
        writer.finish(num_samples)
        replaced = reader.nonfinite_samples + session.nonfinite_samples
        size = path.stat().st_size
    return _conversion(spec, writer.frames_written, num_samples, size, started, replaced)


def decode_file(source: Path, target: Path, decoder: Decoder, *, layers: int | None = None) -> Conversion:
    """Decode a token file into a WAV file, by its first `layers` layers (None: all it has).

    Raises TokenFileError, OutputFileError, and ModelError where the tokens were made by another codec or other weights;
    `target` is whole or not there.
    """
    started = time.monotonic()
    with TokenReader(source) as reader:
        spec = reader.spec
        check_same_codec(spec, decoder.spec, source)
        if layers is not None and not 1 <= layers <= reader.layers:
            raise CodesError(f"{source} holds 1 to {reader.layers} layers, not {layers}")
        expected = reader.num_frames * spec.frame_size - spec.delay_samples
        wanted = max(expected, 0) if reader.num_samples is None else reader.num_samples
        with (
            _whole_or_not_at_all(source, target) as path,
            WavWriter(path, spec.sample_rate) as writer,
            decoder.session() as session,
            Progress(f"decoding {source.name}", reader.duration_s) as progress,
        ):
            to_skip = spec.delay_samples
            for codes in reader:
                samples = session.decode(codes[:layers])[0]
                skipped = min(to_skip, samples.size)
                to_skip -= skipped
                writer.write(samples[skipped : skipped + wanted - writer.samples_written])
                progress.update(writer.duration_s)
            writer.close()
            size = path.stat().st_size
        return _conversion(spec, reader.num_frames, writer.samples_written, size, started, writer.clipped_samples)


def check_same_codec(tokens: CodecSpec, model: CodecSpec, path: Path) -> None:
    """Raise ModelError unless a decoder of `model` understands the tokens of `path`."""
    if tokens.weights_sha256 == model.weights_sha256 and tokens.num_layers == model.num_layers:
        return
    if tokens.name != model.name:
        raise ModelError(f"{path} was made by the codec {tokens.name}, this decoder is of {model.name}")
    raise ModelError(
        f"{path} was made by other weights of {tokens.name} ({tokens.weights_sha256[:12]}…) than this decoder's "
        f"({model.weights_sha256[:12]}…)"
    )


@contextmanager
def _whole_or_not_at_all(source: Path, target: Path) -> Iterator[Path]:
    """A path to write to, which takes the name `target` when all went well and is removed when not."""
    if target.exists() and not target.is_file():
        yield target  # a pipe or device: renaming would put a file in its place
        return
    if target.exists() and target.samefile(source):
        raise CodecError(f"{target} is both input and output — name another output")
    partial = target.with_name(target.name + ".part")
    try:
        yield partial
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _conversion(spec: CodecSpec, frames: int, num_samples: int, size: int, started: float, replaced: int) -> Conversion:
    elapsed_s = time.monotonic() - started
    seconds = num_samples / spec.sample_rate
    return Conversion(
        frames=frames,
        num_samples=num_samples,
        seconds=round(seconds, 3),
        bytes_written=size,
        elapsed_s=round(elapsed_s, 3),
        rtf=round(elapsed_s / seconds, 4) if seconds else 0.0,
        replaced_samples=replaced,
    )
