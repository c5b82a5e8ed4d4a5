"""A cache of many recordings in one LMDB file (.lmdb): a name finds its codes at once, and reading copies them straight
from the mapped file. For training, which reads short pieces of many recordings in random order.

    key                value
    "\\0voxwire"        JSON: `format` 1, `codec` (fields of the CodecSpec), `layers` kept of each frame
    name, UTF-8        u8 version 1 · 3 zero bytes · u32 bytes of the notes · u64 samples of the recording · notes, JSON
                       · codes u16, frame by frame, layer by layer (all little endian)

Sixteen bits a code, not the eleven of a .vwt file: a piece of a recording is then a slice of the file, with nothing to
unpack. All recordings of a cache are of one codec and have as many layers.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from codec.errors import SpecError, TokenFileError
from codec.formats.arrays import ArraySource
from codec.formats.base import checked_length
from codec.formats.lmdb_environment import close_reading, import_lmdb, input_errors, open_to_read
from codec.spec import CodecSpec

if TYPE_CHECKING:
    import lmdb

FORMAT = 1
HEADER_KEY = b"\0voxwire"
HEAD = struct.Struct("<B3xIQ")
MAX_KEY_BYTES = 511
"""LMDB's own limit."""


class Entry(NamedTuple):
    """What a cache knows of a recording without its codes. `notes`: where it came from."""

    num_frames: int
    num_samples: int
    notes: Mapping[str, object]


class CacheReader:
    """Reads a cache. A context manager; for one thread at a time, but it may be handed over a fork and pickled.

    Raises TokenFileError: not there, no cache of ours, damaged, no such name.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._process_environment: lmdb.Environment | None = None
        self._pid = -1
        try:
            self.spec, self.layers = read_header(self._get(HEADER_KEY), self.path)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "spec": self.spec, "layers": self.layers}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path, self.spec, self.layers = state["path"], state["spec"], state["layers"]
        self._process_environment, self._pid = None, -1

    def __len__(self) -> int:
        with input_errors(self.path):
            return int(self._environment.stat()["entries"]) - 1

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._get(key_of(name)) is not None

    def close(self) -> None:
        """Let go of the file; the next call opens it again. Safe to call twice."""
        if self._process_environment is not None and self._pid == os.getpid():
            close_reading(self.path)
        self._process_environment = None

    def names(self) -> Iterator[str]:
        """The names of all recordings, in the order of their bytes."""
        with self._transaction() as transaction:
            for key in transaction.cursor().iternext(keys=True, values=False):
                if bytes(key) != HEADER_KEY:
                    yield bytes(key).decode(errors="replace")

    def entry(self, name: str) -> Entry:
        """Length and notes of a recording."""
        with self._transaction() as transaction:
            return self._look_at(transaction, name).entry()

    def num_frames(self, name: str) -> int:
        """Frames of a recording."""
        with self._transaction() as transaction:
            return len(self._look_at(transaction, name).codes)

    def codes(self, name: str, *, first: int = 0, frames: int | None = None) -> NDArray[np.uint16]:
        """Codes [K, N] of a recording, or of `frames` frames of it from frame `first` on; a copy."""
        with self._transaction() as transaction:
            codes = self._look_at(transaction, name).codes
            # Only the piece is looked at: the rest of a long recording need not even be read from the disk.
            piece = np.array(codes[first : None if frames is None else first + frames].T, dtype=np.uint16, order="C")
        if piece.size and piece.max() >= self.spec.codebook_size:
            raise TokenFileError(f"{name!r} in {self.path} is damaged: a code lies outside the codebook")
        return piece

    def open(self, name: str) -> ArraySource:
        """A recording as a TokenSource."""
        entry = self.entry(name)
        return ArraySource(self.path, self.codes(name).T, spec=self.spec, num_samples=entry.num_samples)

    @property
    def _environment(self) -> lmdb.Environment:
        if self._process_environment is None or self._pid != os.getpid():
            self._process_environment, self._pid = open_to_read(self.path), os.getpid()
        return self._process_environment

    def _get(self, key: bytes) -> bytes | None:
        with self._transaction() as transaction:
            value = transaction.get(key) if 0 < len(key) <= MAX_KEY_BYTES else None
            return None if value is None else bytes(value)

    @contextmanager
    def _transaction(self) -> Iterator[lmdb.Transaction]:
        """A look at the file as it is now; values are memory of the file, good within the block."""
        with input_errors(self.path):
            environment = self._environment
            try:
                transaction = environment.begin(buffers=True)
            except import_lmdb().MapResizedError:  # another process has made it larger than our map
                environment.set_mapsize(0)
                transaction = environment.begin(buffers=True)
            with transaction:
                yield transaction

    def _look_at(self, transaction: lmdb.Transaction, name: str) -> EntryView:
        value = transaction.get(key_of(name))
        if value is None:
            raise TokenFileError(f"There is no recording {name!r} in {self.path}")
        return EntryView(value, self.spec, self.layers, f"{name!r} in {self.path}")


class EntryView:
    """A look at a value of the file: `codes` [T, K] is its memory. Raises TokenFileError for what is no recording."""

    def __init__(self, value: memoryview | bytes, spec: CodecSpec, layers: int, where: str) -> None:
        version, length, num_samples = HEAD.unpack_from(value) if len(value) >= HEAD.size else (0, 0, 0)
        begin = HEAD.size + length
        body = len(value) - begin
        if version != 1 or body <= 0 or body % (2 * layers):
            raise TokenFileError(f"{where} is damaged: {len(value)} bytes are no recording of {layers} layers")
        self.codes: NDArray[np.uint16] = np.frombuffer(value, dtype="<u2", offset=begin).reshape(-1, layers)
        self.num_samples: int = num_samples
        checked_length(num_samples, len(self.codes), spec, Path(where))
        self._notes, self._where = value[HEAD.size : begin], where

    def entry(self) -> Entry:
        """What is known of the recording, without its codes. Raises TokenFileError."""
        try:
            notes = json.loads(bytes(self._notes))
        except (ValueError, RecursionError) as error:
            raise TokenFileError(f"{self._where} is damaged: its notes are unreadable") from error
        return Entry(len(self.codes), self.num_samples, notes if isinstance(notes, dict) else {})


def key_of(name: str) -> bytes:
    """The key of a recording."""
    return name.encode(errors="surrogateescape")


def make_header(spec: CodecSpec, layers: int) -> bytes:
    """The value that describes a cache."""
    return json.dumps({"format": FORMAT, "codec": spec.to_dict(), "layers": layers}).encode()


def read_header(value: bytes | None, path: Path) -> tuple[CodecSpec, int]:
    """The codec of a cache, and the layers it keeps. Raises TokenFileError."""
    if value is None:
        raise TokenFileError(f"{path} is no token cache — expected one made by `codec encode … -o {path.name}`")
    try:
        document = json.loads(value)
        version, layers = document["format"], document["layers"]
        if version != FORMAT:
            raise TokenFileError(f"{path} has cache format {version}, this program reads {FORMAT}")
        spec = CodecSpec.from_dict(document["codec"])
        if type(layers) is not int or not 1 <= layers <= spec.num_layers:
            raise ValueError(f"{layers!r} layers")
    except (ValueError, TypeError, KeyError, RecursionError, SpecError) as error:
        raise TokenFileError(f"{path} is damaged: its description of the codec is unreadable") from error
    return spec, layers


def make_entry(codes: NDArray[np.uint16], num_samples: int, notes: Mapping[str, object]) -> bytes:
    """The value of a recording: codes [T, K]."""
    text = json.dumps(notes, separators=(",", ":")).encode()
    return HEAD.pack(1, len(text), num_samples) + text + codes.astype("<u2").tobytes()
