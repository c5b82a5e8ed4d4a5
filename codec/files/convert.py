"""Whole files through the codec: sound to a token file and back, in streams, whatever their length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from codec.files.conversion import Conversion, Listener, Single
from codec.files.decode_job import DecodeJob
from codec.files.encode_job import EncodeJob
from codec.files.rows import RowJob, decode_rows, encode_rows
from codec.formats.base import TokenSink, TokenSource
from codec.formats.file_sink import FileSink
from codec.formats.kinds import format_by_name
from codec.formats.lmdb_writer import CacheWriter
from codec.formats.recordings import open_tokens
from codec.session import Decoder, Encoder

__all__ = ["Conversion", "decode_file", "encode_file"]


def encode_file(
    source: Path | str, target: Path, encoder: Encoder, *, layers: int | None = None, kind: str | None = None
) -> Conversion:
    """Encode an audio file, or the sound at an address, into a token file, which is whole or not there at all.

    kind: vwt, pt, npz or lmdb (the recording joins a cache); None: by the ending of `target`, else vwt. Raises
    AudioFileError, AddressError, OutputFileError.
    """
    spec, name = encoder.spec, format_by_name(target, kind)

    def run(open_sink: Callable[[], TokenSink]) -> Conversion:
        return _alone(
            f"encoding {Path(source).name}",
            lambda listener: EncodeJob(source, open_sink, spec, listener),
            lambda job: encode_rows(encoder, [job]),
        )

    if name == "lmdb":
        with CacheWriter(target, spec, layers=layers) as cache:
            return run(lambda: cache.sink(Path(source).name, {"source": str(source)}))
    local = source if isinstance(source, Path) else None
    return run(lambda: FileSink(target, name, spec, layers=layers, source=local))


def decode_file(
    source: Path,
    target: Path,
    decoder: Decoder,
    *,
    layers: int | None = None,
    tokens: Callable[[], TokenSource] | None = None,
) -> Conversion:
    """Decode a token file of one recording into a WAV file, by its first `layers` layers (None: all it has).

    tokens: opens them where they are known already. Raises TokenFileError, CodesError, OutputFileError, and ModelError
    where the tokens were made by another codec or other weights; `target` is whole or not there.
    """
    return _alone(
        f"decoding {source.name}",
        lambda listener: DecodeJob(
            source, tokens or (lambda: open_tokens(source)), target, decoder.spec, listener, layers=layers
        ),
        lambda job: decode_rows(decoder, [job]),
    )


def _alone(label: str, make_job: Callable[[Listener], RowJob], run: Callable[[RowJob], None]) -> Conversion:
    listener = Single(label)
    try:
        run(make_job(listener))
    finally:
        listener.close()
    assert listener.result is not None
    return listener.result
