"""Titles inside a radio stream: every so many bytes of sound a length and a line of text, as Shoutcast began it."""

from __future__ import annotations

import re
from collections.abc import Callable

from protocol.untrusted import clean_text

__all__ = ["IcyFilter"]

MAX_TITLE_LENGTH = 128
_UNIT = 16  # bytes per unit of the length byte
_TITLE = re.compile(rb"StreamTitle='(.*?)';", re.DOTALL)


class IcyFilter:
    """Takes the text out of the bytes and tells of every new title.

    interval: bytes of sound from one text to the next, as the header `icy-metaint` says. Not for several threads.
    """

    def __init__(self, interval: int, on_title: Callable[[str], None]) -> None:
        if interval < 1:
            raise ValueError(f"icy-metaint is {interval}, expected 1 or more")
        self._interval = interval
        self._on_title = on_title
        self._sound_left = interval
        self._text_left: int | None = None
        self._text = bytearray()
        self._title: str | None = None

    def feed(self, data: bytes) -> bytes:
        """Bytes as they came; returns the sound among them, perhaps none."""
        sound = bytearray()
        position = 0
        while position < len(data):
            if self._sound_left:
                part = data[position : position + self._sound_left]
                sound += part
                self._sound_left -= len(part)
                position += len(part)
            elif self._text_left is None:
                self._text_left = data[position] * _UNIT
                position += 1
            else:
                part = data[position : position + self._text_left]
                self._text += part
                self._text_left -= len(part)
                position += len(part)
            if self._text_left == 0:
                self._end_text()
        return bytes(sound)

    def _end_text(self) -> None:
        found = _TITLE.search(bytes(self._text))
        self._text.clear()
        self._text_left = None
        self._sound_left = self._interval
        if found is None:
            return
        try:
            text = found[1].decode("utf-8")
        except UnicodeDecodeError:
            text = found[1].decode("latin-1")  # what old encoders send
        title = clean_text(text, MAX_TITLE_LENGTH) if text.strip() else ""
        if title and title != self._title:
            self._title = title
            self._on_title(title)
