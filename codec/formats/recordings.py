"""The recordings of a token file, whatever its kind: one, or many with names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from codec.errors import TokenFileError
from codec.formats.base import TokenSource
from codec.formats.kinds import format_by_content
from codec.formats.lmdb_cache import CacheReader
from codec.formats.npz import open_npz
from codec.formats.pt import open_pt
from codec.formats.vwt import TokenReader


@dataclass(frozen=True, slots=True)
class TokenRecording:
    """One recording of a token file. `name` is empty where the file holds no other. `open` gives its codes."""

    name: str
    open: Callable[[], TokenSource]


def recordings_of(path: Path) -> Iterator[TokenRecording]:
    """Every recording of a token file, one after another. Raises TokenFileError, CodesError."""
    kind = format_by_content(path)
    if kind == "vwt":
        yield TokenRecording("", partial(TokenReader, path))
    elif kind == "npz":
        yield TokenRecording("", partial(open_npz, path))
    elif kind == "pt":
        sources = open_pt(path)
        for number, source in enumerate(sources):
            # A batch has no names: its rows are counted.
            yield TokenRecording(f"{number:04d}" if len(sources) > 1 else "", partial(_same, source))
    else:
        with CacheReader(path) as cache:
            for name in cache.names():
                yield TokenRecording(name, partial(_open_in_cache, path, name))


def open_tokens(path: Path | str) -> TokenSource:
    """The one recording of a token file. Raises TokenFileError where it holds several, or none; CodesError."""
    place = Path(path)
    found = recordings_of(place)
    first = next(found, None)
    if first is None or first.name:
        raise TokenFileError(f"{place} is a collection of recordings, not one — decode it into a folder")
    return first.open()


def _open_in_cache(path: Path, name: str) -> TokenSource:
    with CacheReader(path) as cache:
        return cache.open(name)


def _same(source: TokenSource) -> TokenSource:
    return source
