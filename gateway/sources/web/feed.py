"""Bytes of a radio for the decoder: it just ends, whatever happened."""

from __future__ import annotations

from collections.abc import Callable

from codec.audio.web.client import ConnectionBroken, WebResponse
from gateway.sources.web.icy import IcyFilter

__all__ = ["RadioBytes"]


class RadioBytes:
    """A radio: bytes as they come, the titles taken out. Its end, however it comes about, is a lost connection."""

    def __init__(self, response: WebResponse, *, on_title: Callable[[str], None]) -> None:
        self._response = response
        interval = response.header("icy-metaint")
        titled = interval is not None and interval.strip().isdecimal() and int(interval) > 0
        self._filter = IcyFilter(int(interval), on_title) if titled and interval else None

    def read(self, size: int, /) -> bytes:
        """See ByteSource. Never raises on what the network does: it ends."""
        while True:
            try:
                data = self._response.read(size)
            except ConnectionBroken:
                return b""
            sound = data if self._filter is None else self._filter.feed(data)
            if sound or not data:
                return sound

    def close(self) -> None:
        """See ByteSource."""
        self._response.close()
