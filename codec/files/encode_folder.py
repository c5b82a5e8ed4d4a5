"""Many recordings to tokens: a folder of files like the one they came from, or one cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path, PurePosixPath

from codec.audio.web.client import shown
from codec.errors import CodecError
from codec.files.discovery import AUDIO_SUFFIXES, Found, output_places
from codec.files.encode_job import EncodeJob
from codec.files.folder import FolderOptions, FolderRun, Summary
from codec.files.rows import encode_rows
from codec.files.whole_file import make_folder
from codec.formats.base import TokenSink
from codec.formats.file_sink import FileSink
from codec.formats.kinds import FormatName, format_by_content
from codec.formats.lmdb_writer import CacheWriter
from codec.formats.recordings import open_tokens
from codec.session import Encoder
from codec.spec import CodecSpec


def encode_folder(
    inputs: Sequence[Found], target: Path, kind: FormatName, encoder: Encoder, options: FolderOptions
) -> Summary:
    """Encode `inputs` into the folder `target`, or into the cache `target` where `kind` is lmdb.

    A recording is skipped where `target` holds it whole, from the same weights, with as many layers, and not older than
    its source. One that fails is printed and counted. Raises OutputFileError for a disk that takes no more, ModelError
    for a cache of other weights; what is finished by then stays.
    """
    spec = encoder.spec
    rows = min(options.rows, len(inputs))
    places = output_places([item.place for item in inputs], f".{kind}", AUDIO_SUFFIXES)
    cache = CacheWriter(target, spec, layers=options.layers) if kind == "lmdb" else None
    with cache or nullcontext(), FolderRun("encoding", len(inputs)) as run:

        def jobs() -> Iterator[EncodeJob]:
            for item, place in _longest_first(inputs, places, rows):
                goal = _InCache(cache, item) if cache else _InFolder(target / place, kind, item, spec, options.layers)
                if not options.force and goal.is_there():
                    run.skipped()
                else:
                    yield EncodeJob(item.source, goal.open, spec, run)

        encode_rows(encoder, jobs(), rows=rows)
    return run.summary


class _InFolder:
    """A recording as a file of its own."""

    def __init__(self, target: Path, kind: FormatName, item: Found, spec: CodecSpec, layers: int | None) -> None:
        self._target, self._kind, self._item, self._spec, self._layers = target, kind, item, spec, layers

    def open(self) -> TokenSink:
        assert self._kind != "lmdb"
        make_folder(self._target.parent)
        source = self._item.source if isinstance(self._item.source, Path) else None
        return FileSink(self._target, self._kind, self._spec, layers=self._layers, source=source)

    def is_there(self) -> bool:
        if not self._target.is_file() or _is_newer(self._item.source, self._target):
            return False
        try:
            if format_by_content(self._target) != self._kind:
                return False
            with open_tokens(self._target) as tokens:
                return (
                    tokens.spec == self._spec
                    and tokens.layers == (self._layers or self._spec.num_layers)
                    and tokens.num_samples is not None
                )
        except CodecError:
            return False


class _InCache:
    """A recording as an entry of a cache. Its notes say which file it was, and how large and old."""

    def __init__(self, cache: CacheWriter, item: Found) -> None:
        self._cache, self._name = cache, str(item.place)
        self._notes = _notes(item)

    def open(self) -> TokenSink:
        return self._cache.sink(self._name, self._notes)

    def is_there(self) -> bool:
        entry = self._cache.entry(self._name)
        return entry is not None and entry.notes == self._notes


def _notes(item: Found) -> dict[str, object]:
    if isinstance(item.source, str):
        return {"source": shown(item.source)}
    notes: dict[str, object] = {"source": str(item.source)}
    try:
        status = item.source.stat()
    except OSError:
        return notes  # whoever opens it says why
    return {**notes, "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}


def _is_newer(source: Path | str, target: Path) -> bool:
    try:
        return isinstance(source, Path) and source.stat().st_mtime_ns > target.stat().st_mtime_ns
    except OSError:
        return False


def _longest_first(
    inputs: Sequence[Found], places: Sequence[PurePosixPath], rows: int
) -> list[tuple[Found, PurePosixPath]]:
    """As they came for one row; for several the largest files first, so that no long one runs on alone at the end."""
    pairs = list(zip(inputs, places, strict=True))
    return pairs if rows == 1 else sorted(pairs, key=_negative_size)


def _negative_size(pair: tuple[Found, PurePosixPath]) -> int:
    source = pair[0].source
    try:
        return -source.stat().st_size if isinstance(source, Path) else 0
    except OSError:
        return 0
