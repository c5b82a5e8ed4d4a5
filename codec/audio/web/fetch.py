"""A recording behind an address, fetched whole into a temporary file: bounded in bytes and in time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from codec.audio.web.client import WebClient, WebResponse, shown
from codec.audio.web.recorded import Patience, RecordedBytes, Retry
from codec.errors import AddressError, OutputFileError

__all__ = ["FetchLimits", "fetch"]

_READ_BYTES = 1 << 18
_NO_SOUND = ("text/html", "application/xhtml+xml", "application/json", "image/")


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What a recording may cost. max_bytes: 2 GiB are three hours of a stereo WAV. max_s: from the first byte asked for
    to the last one read. patience: with a connection that breaks."""

    max_bytes: int = 2 << 30
    max_s: float = 1800.0
    patience: Patience = field(default_factory=lambda: Patience(give_up_s=20.0))


def fetch(address: str, *, limits: FetchLimits | None = None, clock: Callable[[], float] = time.monotonic) -> Path:
    """Fetch `address` into a new temporary file, which is the caller's to remove.

    http and https only, certificates verified, redirects followed, read on where the connection broke. Raises
    AddressError, also for a page, for a radio and beyond the limits, and OutputFileError where there is no room for it.
    """
    limits = limits or FetchLimits()
    client = WebClient(timeout_s=limits.patience.timeout_s)
    deadline = clock() + limits.max_s
    response = client.get(address)
    try:
        _check_kind(address, response, limits)
    except BaseException:
        response.close()
        raise
    source = RecordedBytes(client, response, Retry(limits.patience, clock=clock))
    try:
        # Closed and opened again by its name: the libraries that read sound want one.
        with tempfile.NamedTemporaryFile(prefix="voxwire-", delete=False) as file:
            path = Path(file.name)
            try:
                total = 0
                while data := source.read(_READ_BYTES):
                    total += len(data)
                    if total > limits.max_bytes:
                        raise _too_long(address, limits)
                    if clock() > deadline:
                        text = f"{shown(address)} was not fetched within {limits.max_s:g} s: only {total} bytes came."
                        raise AddressError(text, transient=True)
                    file.write(data)
                if total == 0:
                    raise AddressError(f"{shown(address)} gives no audio: it sends not one byte.", transient=False)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise OutputFileError(f"No room for {shown(address)} among the temporary files: {error.strerror}") from error
    finally:
        source.close()
    return path


def _check_kind(address: str, response: WebResponse, limits: FetchLimits) -> None:
    if response.content_type.startswith(_NO_SOUND):
        raise AddressError(
            f"{shown(address)} is no audio but {response.content_type}. Look for the address of the recording itself.",
            transient=False,
        )
    if response.live:
        text = f"{shown(address)} is a radio, which has no end: expected a recording. Save a part of it to a file."
        raise AddressError(text, transient=False)
    if response.length is not None and response.length > limits.max_bytes:
        raise _too_long(address, limits)


def _too_long(address: str, limits: FetchLimits) -> AddressError:
    text = f"{shown(address)} is longer than {limits.max_bytes} bytes: fetch it yourself and name the file."
    return AddressError(text, transient=False)
