"""Codes in whatever form they come: our Tokens and arrays, token files, what the official package gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.errors import CodesError, ModelError
from codec.formats.arrays import without_padding
from codec.formats.base import FRAMES_PER_READ
from codec.formats.recordings import recordings_of
from codec.session import AnyIntegers
from codec.spec import CodecSpec
from codec.tokenizer.tokens import Tokens, check_length

CODES_KEY, LENGTHS_KEY = "audio_codes", "num_samples"

_FORMS = "expected Tokens, an array [K, T], a token file, or {'audio_codes': [T, K]}"

Parts = Iterable[AnyIntegers]


@dataclass(frozen=True, slots=True)
class CodedRecording:
    """One recording to decode. `open` gives its codes in parts [K, N]; num_samples None: of the frames."""

    open: Callable[[], AbstractContextManager[Parts]]
    num_samples: int | None


def coded_recordings(value: Any, spec: CodecSpec) -> Iterator[CodedRecording]:
    """The recordings in `value`, of a list those of each of its elements.

    A bare array or tensor is [K, T], as everywhere here, or [B, K, T]; under the key or attribute `audio_codes` it is
    [T, K] or [B, T, K], or a list of such, padded with -1 at the end. Raises CodesError, TokenFileError, and ModelError
    for tokens of another codec or other weights.
    """
    if isinstance(value, Tokens):
        check_same_weights(value.spec, spec, "These tokens were")
        for codes, num_samples in zip(value.codes, value.num_samples, strict=True):
            yield _of_array(codes, num_samples)
    elif isinstance(value, str | os.PathLike):
        yield from _of_file(Path(value), spec)
    elif isinstance(value, Mapping):
        if CODES_KEY not in value:
            raise CodesError(f"This dictionary holds no {CODES_KEY!r} — {_FORMS}")
        yield from _of_official(value[CODES_KEY], value.get(LENGTHS_KEY), spec)
    elif hasattr(value, CODES_KEY):
        yield from _of_official(getattr(value, CODES_KEY), None, spec)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from coded_recordings(each, spec)
    else:
        yield from _of_bare(to_array(value), spec)


def to_array(value: Any) -> NDArray[np.integer[Any]]:
    """numpy's view of an array or tensor of integers. Raises CodesError."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    if not hasattr(value, "__array__"):
        raise CodesError(f"Not codes: {type(value).__name__} — {_FORMS}")
    array: NDArray[Any] = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise CodesError(f"Codes are integers, not {array.dtype}")
    return array


def check_same_weights(made_by: CodecSpec, decoder: CodecSpec, what: str) -> None:
    """Raise ModelError unless the decoder understands what was made. what: as in `These tokens were`."""
    if made_by.weights_sha256 == decoder.weights_sha256 and made_by.num_layers == decoder.num_layers:
        return
    if made_by.name != decoder.name:
        raise ModelError(f"{what} made by the codec {made_by.name}, this decoder is of {decoder.name}")
    raise ModelError(
        f"{what} made by other weights of {made_by.name} ({made_by.weights_sha256[:12]}…) than this decoder's "
        f"({decoder.weights_sha256[:12]}…)"
    )


def _of_bare(array: NDArray[np.integer[Any]], spec: CodecSpec) -> Iterator[CodedRecording]:
    if array.ndim == 3:
        for row in array:
            yield from _of_bare(row, spec)
        return
    if array.ndim != 2 or 0 in array.shape:
        raise CodesError(f"The codes of a recording are [K, T], not {list(array.shape)}")
    layers, frames = array.shape
    if layers > spec.num_layers or (layers < spec.num_layers and frames == spec.num_layers):
        raise CodesError(
            f"Is {list(array.shape)} layers by frames, or frames by layers? {spec.name} has {spec.num_layers} layers: "
            "give frames first as {'audio_codes': array}, and a part of the layers as Tokens.of([array], spec)"
        )
    yield _of_array(array, None)


def _of_official(codes: Any, lengths: Any, spec: CodecSpec) -> Iterator[CodedRecording]:
    rows = list(codes) if isinstance(codes, list | tuple) else [codes]
    arrays = [array for row in rows for array in _split(to_array(row))]
    if lengths is None:
        lengths = [None] * len(arrays)
    elif isinstance(lengths, int | np.integer):
        lengths = [lengths]
    if len(lengths) != len(arrays):
        raise CodesError(f"{len(arrays)} recordings have as many lengths, not {len(lengths)}")
    for array, length in zip(arrays, lengths, strict=True):
        # Of a batch the shorter ones are filled up with -1, all layers of a frame.
        kept = without_padding(array, Path(CODES_KEY))
        if length is not None:
            check_length(length, kept.shape[0], spec)
        yield _of_array(kept.T, None if length is None else int(length))


def _split(array: NDArray[Any]) -> list[NDArray[Any]]:
    return list(array) if array.ndim == 3 else [array]


def _of_array(codes: AnyIntegers, num_samples: int | None) -> CodedRecording:
    parts = [codes[:, first : first + FRAMES_PER_READ] for first in range(0, codes.shape[1], FRAMES_PER_READ)]

    def opened() -> AbstractContextManager[Parts]:
        return nullcontext(parts)

    return CodedRecording(opened, num_samples)


def _of_file(path: Path, spec: CodecSpec) -> Iterator[CodedRecording]:
    for recording in recordings_of(path):
        with recording.open() as source:
            made_by, num_samples = source.spec, source.num_samples
        if made_by is not None:
            check_same_weights(made_by, spec, f"{path} was")
        yield CodedRecording(recording.open, num_samples)
