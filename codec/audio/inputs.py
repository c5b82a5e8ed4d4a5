"""Sound wherever it comes from, opened as one thing: a file, an address, a data URL, or an array in memory."""

from __future__ import annotations

import base64
import binascii
import os
import re
import tempfile
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np

from codec.audio.arrays import ArrayDecoder
from codec.audio.reader import AudioReader, open_audio
from codec.audio.web.client import is_address, shown
from codec.audio.web.fetch import FetchLimits, fetch
from codec.errors import AudioInputError, OutputFileError

_MAX_NAME = 200
"""Characters of a name that a message shows: sound as base64 text has millions."""

_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)


def open_input(source: Any, sample_rate: int | None, *, limits: FetchLimits | None = None) -> AudioReader:
    """Open one recording for streaming as mono at `sample_rate` Hz; None: at its own.

    source: a path, an http or https address, a `data:…;base64,` URL, or (array, rate), where the array is [samples],
    [samples, channels] or [channels, samples] of floats, int16, int32 or uint8. limits: of an address. Raises
    AudioFileError, AddressError, AudioInputError.
    """
    if isinstance(source, tuple):
        return _open_array(*_array_and_rate(source), sample_rate)
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        if not isinstance(text, str):
            raise AudioInputError("A path is text, not bytes")
        if isinstance(source, str) and (data := _DATA_URL.match(text)):
            return _open_data_url(text, data.end(), sample_rate)
        if isinstance(source, str) and text.lower().startswith("file://"):
            text = urllib.parse.unquote(urllib.parse.urlsplit(text).path, errors="surrogateescape")
        elif isinstance(source, str) and is_address(text):
            return _open_temporary(fetch(text, limits=limits), shown(text), sample_rate)
        if len(text) > _MAX_NAME and not os.path.exists(text):
            raise AudioInputError(
                f"File not found at {text[:_MAX_NAME]}… — sound as base64 text is given as a data URL: "
                "data:audio/wav;base64,…"
            )
        return open_audio(Path(text), sample_rate)
    if hasattr(source, "__array__"):
        raise AudioInputError("An array needs its sample rate: give (array, rate)")
    raise AudioInputError(f"Expected a path, an address or (array, rate), not {type(source).__name__}")


def _array_and_rate(pair: tuple[Any, ...]) -> tuple[Any, Any]:
    """Libraries differ in which comes first."""
    if len(pair) != 2:
        raise AudioInputError(f"Sound in memory is given as (array, rate), not as a tuple of {len(pair)}")
    first, second = pair
    return (second, first) if isinstance(first, int | float | np.number) else (first, second)


def _open_array(array: Any, rate: Any, sample_rate: int | None) -> AudioReader:
    decoder = ArrayDecoder(array, rate)
    first = decoder.read()
    assert first is not None  # it refuses what is empty
    return AudioReader(
        Path(), sample_rate or decoder.sample_rate, decoder, first, name=f"an array of {decoder.duration_s:.2f} s"
    )


def _open_data_url(text: str, start: int, sample_rate: int | None) -> AudioReader:
    try:
        data = base64.b64decode(text[start:], validate=True)
    except (binascii.Error, ValueError) as error:
        raise AudioInputError(f"The data URL {text[:start]}… holds no base64: {error}") from error
    if not data:
        raise AudioInputError(f"There is no sound in the data URL {text[:start]}: it is empty")
    try:
        with tempfile.NamedTemporaryFile(prefix="voxwire-", delete=False) as file:
            file.write(data)
    except OSError as error:
        raise OutputFileError(f"No room for a data URL among the temporary files: {error.strerror}") from error
    return _open_temporary(Path(file.name), f"the data URL {text[:start]}…", sample_rate)


def _open_temporary(path: Path, name: str, sample_rate: int | None) -> AudioReader:
    """Its name goes at once; what is open stays readable, and a process that is killed leaves nothing behind."""
    try:
        return open_audio(path, sample_rate, name=name)
    finally:
        path.unlink(missing_ok=True)
