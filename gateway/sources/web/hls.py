"""HTTP Live Streaming as a run of bytes: the pieces of one stream fetched one after the other, by our own HTTP.

Only what a stream of sound needs: no encryption, no byte ranges. FFmpeg's own reader is not used, since it opens
whatever a list names.
"""

from __future__ import annotations

import re
import urllib.parse
from collections import deque
from dataclasses import dataclass

from codec.audio.web.client import ConnectionBroken, WebClient, WebResponse, shown
from codec.audio.web.recorded import Retry
from codec.errors import AddressError
from gateway.sources.playlist import MAX_LIST_BYTES

__all__ = ["HlsBytes", "MediaList", "choose_variant", "parse_media_list"]

_START_PIECES = 3  # behind the live edge, as RFC 8216 section 6.3.3 wants it
_MAX_BEHIND_PIECES = 6  # after a long stall; a list may hold hours
_MIN_RELOAD_S = 0.5
_MAX_RELOAD_S = 10.0
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')


@dataclass(frozen=True, slots=True)
class MediaList:
    """pieces: `(number, address)` each. header: address of what comes before all of them (fMP4), where there is one.
    ended: nothing will be added: a recording. target_s: the longest piece.
    """

    pieces: tuple[tuple[int, str], ...]
    header: str | None
    ended: bool
    target_s: float


def choose_variant(text: str, address: str) -> str | None:
    """The one to hear of a list of variants: sound alone where there is such, else the least bits. None: no such."""
    variants: list[tuple[int, str]] = []
    bandwidth: int | None = None
    for line in _lines(text):
        if line.startswith("#EXT-X-STREAM-INF:"):
            wanted = _attributes(line).get("BANDWIDTH", "")
            bandwidth = int(wanted) if wanted.isdecimal() else 0
        elif line.startswith("#EXT-X-MEDIA:"):
            attributes = _attributes(line)
            if attributes.get("TYPE") == "AUDIO" and attributes.get("URI"):
                variants.append((-1, _join(address, attributes["URI"])))
        elif not line.startswith("#") and bandwidth is not None:
            variants.append((bandwidth, _join(address, line)))
            bandwidth = None
    return min(variants)[1] if variants else None


def parse_media_list(text: str, address: str) -> MediaList:
    """The pieces a list names. Raises AddressError for what is not understood here."""
    number, target_s, header, ended = 0, 6.0, None, False
    pieces: list[tuple[int, str]] = []
    for line in _lines(text):
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-MEDIA-SEQUENCE" and value.strip().isdecimal():
            number = int(value)
        elif tag == "#EXT-X-TARGETDURATION" and re.fullmatch(r"\d{1,5}(\.\d+)?", value.strip()):
            target_s = float(value)
        elif tag == "#EXT-X-ENDLIST":
            ended = True
        elif tag == "#EXT-X-BYTERANGE" or (tag == "#EXT-X-MAP" and "BYTERANGE" in line):
            raise AddressError(f"{shown(address)} is HLS in byte ranges, which is not supported.", transient=False)
        elif tag == "#EXT-X-MAP":
            header = _join(address, _attributes(line).get("URI", ""))
        elif tag == "#EXT-X-KEY" and _attributes(line).get("METHOD", "NONE") != "NONE":
            raise AddressError(f"{shown(address)} is encrypted, which is not supported.", transient=False)
        elif not line.startswith("#"):
            pieces.append((number, _join(address, line)))
            number += 1
    return MediaList(tuple(pieces), header, ended, target_s)


class HlsBytes:
    """The pieces of a stream in their order, as one run of bytes; a live one without end.

    data: the list as it was fetched from `address`. A piece that cannot be had is passed over and counted in
    `reconnects`. Making one, and `read`, raise AddressError once the patience is over, and Aborted.
    """

    def __init__(self, client: WebClient, address: str, data: bytes, retry: Retry) -> None:
        self._client = client
        self._retry = retry
        self._address = address
        self._response: WebResponse | None = None
        self._pieces: deque[str] = deque()
        self._header: str | None = None
        self._next = 0
        self.reconnects = 0
        text = data.decode("utf-8", "replace")
        variant = choose_variant(text, address)
        if variant is not None:
            self._address = variant
            text = self._fetch(variant)
        found = parse_media_list(text, self._address)
        self.live = not found.ended
        self._target_s = found.target_s
        self._take(found, first=True)

    def read(self, size: int, /) -> bytes:
        """See ByteSource."""
        while True:
            try:
                if self._response is None and not self._open_next():
                    return b""
                data = b"" if self._response is None else self._response.read(size)
            except ConnectionBroken as error:
                self._failed(error)
                continue
            if data:
                self._retry.succeeded()
                return data
            self._drop()

    def close(self) -> None:
        """See ByteSource."""
        self._drop()

    def _open_next(self) -> bool:
        """Open the next piece; waits for one to be made where the stream is live. False at the end of a recording."""
        while not self._pieces:
            if not self.live:
                return False
            self._client.pause(min(_MAX_RELOAD_S, max(_MIN_RELOAD_S, self._target_s / 2)))
            self._take(self._reload(), first=False)
        try:
            self._response = self._client.get(self._pieces.popleft())
        except AddressError as error:
            raise ConnectionBroken(str(error)) from error
        return True

    def _reload(self) -> MediaList:
        try:
            return parse_media_list(self._fetch(self._address), self._address)
        except AddressError as error:
            if not error.transient:
                raise
            raise ConnectionBroken(str(error)) from error

    def _take(self, found: MediaList, *, first: bool) -> None:
        fresh = [piece for piece in found.pieces if piece[0] >= self._next]
        if found.pieces and not fresh and found.pieces[-1][0] < self._next - len(found.pieces):
            fresh = list(found.pieces)  # the server began to count anew
        if not found.ended and (first or len(fresh) > _MAX_BEHIND_PIECES):
            fresh = fresh[-_START_PIECES:]
        if fresh and found.header is not None and found.header != self._header:
            self._header = found.header
            self._pieces.append(found.header)
        self._pieces.extend(address for _, address in fresh)
        if fresh:
            self._next = fresh[-1][0] + 1
        self.live = not found.ended

    def _fetch(self, address: str) -> str:
        response = self._client.get(address)
        try:
            return response.read_all(MAX_LIST_BYTES).decode("utf-8", "replace")
        except ConnectionBroken as error:
            raise AddressError(f"{shown(address)} broke off: {error}.", transient=True) from error
        finally:
            response.close()

    def _failed(self, error: ConnectionBroken) -> None:
        self._drop()
        delay_s = self._retry.delay_s()
        if delay_s is None:
            raise AddressError(f"{shown(self._address)} broke off: {error}.", transient=True) from error
        self._client.pause(delay_s)
        self.reconnects += 1

    def _drop(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _attributes(line: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line.partition(":")[2])}


def _join(address: str, target: str) -> str:
    """WebClient refuses what is neither http nor https."""
    return urllib.parse.urljoin(address, target)
