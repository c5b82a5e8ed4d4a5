"""Loading a codec once, and putting recordings through it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from codec.audio.inputs import open_input
from codec.audio.reader import AudioReader
from codec.checks import MAX_AMPLITUDE
from codec.errors import AudioInputError, CodecError, CodesError, ModelError
from codec.files.rows import decode_rows, encode_rows
from codec.formats.base import checked_layers
from codec.hub import QWEN3_REPOSITORY
from codec.load import Engine, device_of, load_codec
from codec.packaged import PACKAGED_VERSIONS
from codec.session import Decoder, Encoder, Samples
from codec.spec import CodecSpec
from codec.tokenizer.coded import coded_recordings
from codec.tokenizer.jobs import DecodeJob, EncodeJob
from codec.tokenizer.tokens import Tokens, counted

logger = logging.getLogger(__name__)

GPU_ROWS = 8
"""Recordings at once on a GPU. A CPU is busy with one: the others would only take memory."""


class Tokenizer:
    """A codec, both halves, loaded once. Sound of any length becomes tokens, and tokens sound, in bounded memory.

    Nothing of one call is left for the next. For one thread at a time. `spec` describes the codec, `device` is what
    really runs it: cpu, cuda (ONNX Runtime's first GPU) or cuda:0 (torch's).
    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        if encoder.spec != decoder.spec:
            raise ModelError(f"An encoder of {encoder.spec.name} and a decoder of {decoder.spec.name} are no codec")
        self.spec: CodecSpec = encoder.spec
        self.encoder, self.decoder = encoder, decoder
        self.device = device_of(encoder)

    @classmethod
    def load(
        cls,
        model: str | Path = "nano",
        *,
        device: str = "auto",
        engine: Engine = "auto",
        threads: int | None = None,
        full_attention: bool = False,
    ) -> Self:
        """Load a codec: "nano", which comes with the package; a repository on the hub such as
        "Qwen/Qwen3-TTS-Tokenizer-12Hz" (also "qwen3-12hz"), fetched once; a folder of released weights; or one with
        encoder.onnx and decoder.onnx.

        device: auto (a GPU where there is one, and the log says what was taken), cpu, cuda or cuda:1; an error where it
        is not there. engine: auto is torch for released weights, else ONNX Runtime. threads: None is one for ONNX
        Runtime and all for torch; a number is torch's for the whole process. full_attention: see `load_encoder`.
        Raises ModelError, CheckpointError, DownloadError, DeviceError.
        """
        codec, place = _named(model)
        encoder, decoder = load_codec(
            codec, model=place, provider=device, engine=engine, threads=threads, full_attention=full_attention
        )
        tokenizer = cls(encoder, decoder)
        logger.info(
            "%s runs on %s (device %s), weights %s",
            tokenizer.spec.name,
            tokenizer.device,
            device,
            tokenizer.spec.weights_sha256,
        )
        return tokenizer

    def encode(
        self, audio: Any, sr: int | None = None, *, layers: int | None = None, batch_size: int | None = None
    ) -> Tokens:
        """Tokens of one recording, or of a list of them.

        audio: a path, an http(s) address, a data URL, or (array, rate), see `codec.audio.inputs.open_input`; or a list
        of these. Bare arrays and tensors are taken too where `sr` says their rate. Everything is mixed to mono and
        brought to the codec's rate. layers: keep the first K. batch_size: recordings at once; None: 1, and 8 on a GPU.
        Each gets the codes it has alone, up to rounding. Raises AudioFileError, AddressError, AudioInputError,
        CodesError.
        """
        sources = _as_list(audio, sr)
        kept = checked_layers(layers, self.spec)
        rate = self.spec.sample_rate
        jobs = [EncodeJob(partial(open_input, source, rate), self.spec, kept) for source in sources]
        encode_rows(self.encoder, jobs, rows=self._rows(len(jobs), batch_size))
        _warn([job.reader for job in jobs])
        tokens = Tokens(tuple(job.codes for job in jobs), tuple(job.num_samples for job in jobs), self.spec)
        _log("encoded", tokens.seconds, sum(job.chunks for job in jobs))
        return tokens

    def decode(
        self, tokens: Any, *, layers: int | None = None, batch_size: int | None = None
    ) -> tuple[list[Samples], int]:
        """The sound of each recording, float32 [T] between -1 and 1, as long as the original was, and its rate in Hz.

        tokens: what `encode` gave; codes [K, T] as array or tensor; a path of a token file; a dictionary or object with
        `audio_codes` [T, K], as of the official package; or a list of these. Where the length is not known, all that
        the frames hold. layers: use the first K only. batch_size: as for `encode`. Raises CodesError, TokenFileError,
        and ModelError for tokens of another codec or other weights.
        """
        kept = None if layers is None else checked_layers(layers, self.spec)
        jobs = [DecodeJob(recording, self.spec, kept) for recording in coded_recordings(tokens, self.spec)]
        if not jobs:
            raise CodesError("There is nothing to decode: no recording was given")
        decode_rows(self.decoder, jobs, rows=self._rows(len(jobs), batch_size))
        waves = [job.samples for job in jobs]
        _log("decoded", [wave.size / self.spec.sample_rate for wave in waves], sum(job.chunks for job in jobs))
        return waves, self.spec.sample_rate

    def _rows(self, recordings: int, batch_size: int | None) -> int:
        if batch_size is not None and batch_size < 1:
            raise CodecError(f"A batch has at least one recording, not {batch_size}")
        return min(recordings, batch_size or (1 if self.device == "cpu" else GPU_ROWS))


def _named(model: str | Path) -> tuple[str | None, str | Path | None]:
    """What `load_codec` calls it: the name of a packaged codec, or where its files are. A folder that is called as a
    codec is needs its path: ./nano."""
    if model in (*PACKAGED_VERSIONS, *PACKAGED_VERSIONS.values()):
        return str(model), None
    if model == "qwen3-12hz":
        return None, QWEN3_REPOSITORY
    return None, model


def _as_list(audio: Any, sr: int | None) -> list[Any]:
    sources = list(audio) if isinstance(audio, list) else [audio]
    if not sources:
        raise AudioInputError("There is nothing to encode: the list is empty")
    for source in sources:
        if isinstance(source, int | float):
            raise AudioInputError("A list is one of recordings: give samples as a numpy array")
    if sr is None:
        return sources
    if any(isinstance(source, tuple) for source in sources):
        raise AudioInputError("The sample rate was given twice: in (array, rate) and beside it")
    # As in the official package, files keep their own.
    return [(source, sr) if hasattr(source, "__array__") else source for source in sources]


def _warn(readers: Sequence[AudioReader]) -> None:
    """Once for all recordings of a call: what was wrong with them."""
    loud = sum(reader.loud_samples for reader in readers)
    if loud:
        logger.warning(
            "%d samples are beyond full scale, up to %.3g: what is rebuilt of them is clipped at 1, scale them down",
            loud,
            max(reader.peak for reader in readers),
        )
    replaced = sum(reader.nonfinite_samples for reader in readers)
    if replaced:
        logger.warning("%d samples were not finite or beyond %g and were replaced", replaced, MAX_AMPLITUDE)
    for reader in readers:
        if reader.damaged_packets or reader.missing_s:
            logger.warning("%s", reader.faults)


def _log(what: str, seconds: Sequence[float], chunks: int) -> None:
    recordings, steps = counted(len(seconds), "recording"), counted(chunks, "chunk")
    logger.info("%s %s, %.1f s of sound, processed in %s", what, recordings, sum(seconds), steps)
