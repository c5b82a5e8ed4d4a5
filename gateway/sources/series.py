"""Things to play one after the other: the files of a directory, the entries of a play list."""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from codec import AddressError, AudioFileError
from codec.audio.web.client import is_address, shown
from gateway.errors import SourceError
from gateway.sources.base import AudioBlock, AudioSource
from gateway.sources.playlist import MAX_DEPTH
from gateway.sources.web.stream import PlayListFound
from protocol.untrusted import clean_text

__all__ = ["SeriesSource", "ordered"]

logger = logging.getLogger(__name__)

_RETRY_S = 5.0
_POLL_S = 0.2
_MAX_NAME = 120
_NOTHING = AudioBlock(np.zeros(0, dtype=np.float32))


class SeriesSource:
    """An AudioSource of many, each opened when its turn comes; again and again with `loop`.

    What cannot be read is passed over, said once and counted in `input_files_skipped`; a file that gave nothing is not
    tried again. Raises SourceError (exit 66) where there is nothing to play, or a whole pass played nothing; with
    `wait` a pass of addresses is tried again every 5 s.

    name: for people. targets: asked at the start of every pass, so that a directory may change; raises SourceError.
    open_target: a path or address to its source. shuffle: every pass in another order, each target once.
    """

    live = False

    def __init__(
        self,
        name: str,
        targets: Callable[[], list[str]],
        open_target: Callable[[str], AudioSource],
        *,
        loop: bool = False,
        shuffle: bool = False,
        wait: bool = False,
        rng: random.Random | None = None,
    ) -> None:
        self._name = name
        self._targets = targets
        self._open_target = open_target
        self._loop = loop
        self._shuffle = shuffle
        self._wait = wait
        self._rng = rng or random.Random()
        self._current: AudioSource | None = None
        self._counts: Counter[str] = Counter()
        self._past_overflows = 0
        self._silent: set[str] = set()
        self._said: set[str] = set()
        self.files_skipped = 0

    @property
    def description(self) -> str:
        current = self._current
        return self._name if current is None else f"{self._name}: {current.description}"

    @property
    def overflows(self) -> int:
        return self._past_overflows + (0 if self._current is None else self._current.overflows)

    @property
    def counters(self) -> Mapping[str, int]:
        """Targets passed over, and the counters of all sources so far together."""
        counts = Counter(self._counts)
        if self._current is not None:
            counts.update(self._current.counters)
        return {**counts, "input_files_skipped": self.files_skipped}

    def __enter__(self) -> Self:
        self._targets()  # what is empty or missing is said before anything is announced
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open between two targets, and `blocks` closes its own."""

    def blocks(self, stop: threading.Event) -> Iterator[AudioBlock]:
        """See AudioSource."""
        previous: list[str] = []
        while not stop.is_set():
            targets = [target for target in self._targets() if target not in self._silent]
            if self._shuffle:
                targets = ordered(targets, previous, self._rng)
            previous = targets
            played = 0
            for target in targets:
                if stop.is_set():
                    return
                played += yield from self._play(target, stop)
            if stop.is_set():
                return
            if not played:
                if not self._wait or not any(is_address(target) for target in targets):
                    raise SourceError(
                        f"None of the audio files in the {self._name} can be read. Try one alone: codec encode FILE"
                    )
                yield from _pause(stop)
            elif not self._loop:
                return

    def _play(self, target: str, stop: threading.Event, depth: int = 0) -> Generator[AudioBlock, None, int]:
        """One target to its end; returns how many things were heard."""
        heard = 0
        try:
            source = self._open_target(target)
            with source:
                self._current = source
                try:
                    for block in source.blocks(stop):
                        heard = heard or int(block.samples.size > 0)
                        yield block
                finally:
                    self._past_overflows += source.overflows
                    self._counts.update(source.counters)
                    self._current = None
        except PlayListFound as found:
            if depth >= MAX_DEPTH:
                self._skip(target, SourceError("it is a play list in a play list in a play list"), heard=0)
                return 0
            for inner in found.targets:
                if not stop.is_set():
                    heard += yield from self._play(inner, stop, depth + 1)
        except (AddressError, AudioFileError, SourceError) as error:
            self._skip(target, error, heard=heard)
        return heard

    def _skip(self, target: str, error: Exception, *, heard: int) -> None:
        self.files_skipped += 1
        if not heard and not is_address(target):
            self._silent.add(target)
        if target not in self._said:
            self._said.add(target)
            name = shown(target) if is_address(target) else Path(target).name
            logger.warning("skipped %s: %s", clean_text(name, _MAX_NAME), error)


def ordered(targets: list[str], previous: list[str], rng: random.Random) -> list[str]:
    """`targets` shuffled: not as `previous` was, and not beginning with what that ended with, where that can be."""
    shuffled = list(targets)
    if len(targets) == 2 and previous:
        return shuffled if shuffled != previous else shuffled[::-1]
    for _ in range(32):
        rng.shuffle(shuffled)
        if len(set(targets)) < 3 or not previous or (shuffled != previous and shuffled[0] != previous[-1]):
            break
    return shuffled


def _pause(stop: threading.Event) -> Iterator[AudioBlock]:
    for _ in range(round(_RETRY_S / _POLL_S)):
        if stop.wait(_POLL_S):
            return
        yield _NOTHING
