"""An address as the user gave it: one thing to play, or a play list of them. Only asking tells."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

from codec.audio.web.client import shown
from gateway.sources.base import AudioBlock, AudioSource
from gateway.sources.web.stream import PlayListFound

__all__ = ["AddressSource"]

logger = logging.getLogger(__name__)

_MAX_LISTS = 4  # a list of one that names a list of one …


class AddressSource:
    """An AudioSource that is what its address turns out to be.

    first: the source that asks. list_source: what plays the addresses of a list. A list of one is that one: an error
    of it is an error, and nothing is passed over.
    """

    live = False

    def __init__(
        self, address: str, first: Callable[[str], AudioSource], list_source: Callable[[str, list[str]], AudioSource]
    ) -> None:
        self._address = address
        self._open_one = first
        self._open_list = list_source
        self._inner = first(address)

    @property
    def description(self) -> str:
        return self._inner.description

    @property
    def overflows(self) -> int:
        return self._inner.overflows

    @property
    def counters(self) -> Mapping[str, int]:
        """Of whatever it turned out to be."""
        return self._inner.counters

    def __enter__(self) -> Self:
        for _ in range(_MAX_LISTS):
            try:
                self._inner.__enter__()
                return self
            except PlayListFound as found:
                self._become(found)
        self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inner.__exit__(kind, error, trace)

    def blocks(self, stop: threading.Event) -> Iterator[AudioBlock]:
        """See AudioSource. With --wait it is only here that an address may turn out to be a list."""
        while True:
            try:
                yield from self._inner.blocks(stop)
                return
            except PlayListFound as found:
                self._inner.__exit__(None, None, None)
                self._become(found)
            self.__enter__()

    def _become(self, found: PlayListFound) -> None:
        logger.info("%s is a play list of %d", shown(self._address), len(found.targets))
        if len(found.targets) == 1:
            self._inner = self._open_one(found.targets[0])
        else:
            self._inner = self._open_list(f"play list {shown(self._address)}", found.targets)
