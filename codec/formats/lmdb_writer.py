"""Writing a token cache: recordings join one by one, each whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codec.errors import ModelError, OutputFileError, TokenFileError
from codec.formats.arrays import kept_layers
from codec.formats.base import checked_layers
from codec.formats.lmdb_cache import (
    HEADER_KEY,
    MAX_KEY_BYTES,
    Entry,
    EntryView,
    key_of,
    make_entry,
    make_header,
    read_header,
)
from codec.formats.lmdb_environment import MAX_READERS, import_lmdb, output_errors
from codec.session import AnyIntegers
from codec.spec import CodecSpec

FIRST_MAP_BYTES = 1 << 28
"""Address space, not disk: the file is as large as what it holds. Doubled when it is full."""

ENTRIES_PER_COMMIT = 64
BYTES_PER_COMMIT = 8 << 20
"""A commit waits for the disk. What a crash takes with it is encoded again by the next run."""


class CacheWriter:
    """Adds recordings to a cache, which is made where there is none. A context manager.

    Raises ModelError where the cache holds codes of another codec, other weights or another number of layers;
    OutputFileError where it cannot be written. What was added is kept, also when the block ends by an error.
    """

    def __init__(self, path: Path | str, spec: CodecSpec, *, layers: int | None = None) -> None:
        self.path, self.spec = Path(path), spec
        self.layers = checked_layers(layers, spec)
        self._waiting: list[tuple[bytes, bytes]] = []
        self._waiting_bytes = 0
        lmdb = import_lmdb()
        with output_errors(self.path):
            self._environment = lmdb.open(
                str(self.path), subdir=False, map_size=self._first_map(), max_readers=MAX_READERS
            )
        try:
            self._describe()
        except BaseException:
            self._environment.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit what waits, and close. Raises OutputFileError; the file is closed even so."""
        try:
            self.commit()
        finally:
            self._environment.close()

    def sink(self, name: str, notes: Mapping[str, object]) -> CacheSink:
        """Where the codes of the recording `name` go. Raises OutputFileError for a name that cannot be a key."""
        key = key_of(name)
        if not 0 < len(key) <= MAX_KEY_BYTES or key.startswith(b"\0"):
            raise OutputFileError(
                f"{name!r} cannot be a name in {self.path}: 1 to {MAX_KEY_BYTES} bytes — rename the file"
            )
        return CacheSink(self, key, notes)

    def entry(self, name: str) -> Entry | None:
        """What the cache holds of `name`; None where it holds nothing, or nothing readable."""
        with output_errors(self.path), self._environment.begin(buffers=True) as transaction:
            value = transaction.get(key_of(name)) if 0 < len(key_of(name)) <= MAX_KEY_BYTES else None
            if value is None:
                return None
            try:
                return EntryView(value, self.spec, self.layers, name).entry()
            except TokenFileError:
                return None

    def put(self, key: bytes, value: bytes) -> None:
        """Keep an entry, on the disk by the next commit."""
        self._waiting.append((key, value))
        self._waiting_bytes += len(value)
        if len(self._waiting) >= ENTRIES_PER_COMMIT or self._waiting_bytes >= BYTES_PER_COMMIT:
            self.commit()

    def commit(self) -> None:
        """Write what waits. Raises OutputFileError; then nothing of it is in the cache."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if waiting:
            self._write(waiting)

    def _write(self, entries: list[tuple[bytes, bytes]]) -> None:
        lmdb = import_lmdb()
        with output_errors(self.path):
            while True:
                try:
                    with self._environment.begin(write=True) as transaction:
                        for key, value in entries:
                            transaction.put(key, value)
                    return
                except lmdb.MapFullError:
                    self._environment.set_mapsize(2 * self._environment.info()["map_size"])

    def _first_map(self) -> int:
        size = self.path.stat().st_size if self.path.is_file() else 0
        return max(FIRST_MAP_BYTES, 2 * size)

    def _describe(self) -> None:
        with output_errors(self.path), self._environment.begin() as transaction:
            value = transaction.get(HEADER_KEY)
            if value is None and self._environment.stat()["entries"]:
                raise OutputFileError(f"{self.path} is an LMDB file of something else — name another output")
        if value is None:
            self._write([(HEADER_KEY, make_header(self.spec, self.layers))])
            return
        spec, layers = read_header(value, self.path)
        if (spec.name, spec.weights_sha256) != (self.spec.name, self.spec.weights_sha256):
            raise ModelError(
                f"{self.path} holds codes of {spec.name} ({spec.weights_sha256[:12]}…), not of {self.spec.name} "
                f"({self.spec.weights_sha256[:12]}…): a cache is of one codec — name another output"
            )
        if layers != self.layers:
            raise ModelError(f"{self.path} keeps {layers} layers a frame, not {self.layers} — name another output")


class CacheSink:
    """A TokenSink that adds one recording to a cache."""

    def __init__(self, cache: CacheWriter, key: bytes, notes: Mapping[str, object]) -> None:
        self._cache, self._key, self._notes = cache, key, notes
        self._parts: list[NDArray[np.uint16]] = []

    def write(self, codes: AnyIntegers) -> None:
        """See TokenSink."""
        self._parts.append(kept_layers(codes, self._cache.layers, self._cache.spec).T.astype(np.uint16))

    def finish(self, num_samples: int) -> int:
        """See TokenSink."""
        value = make_entry(np.concatenate(self._parts), num_samples, self._notes)
        self._cache.put(self._key, value)
        return len(value)

    def discard(self) -> None:
        """See TokenSink."""
        self._parts.clear()
