"""LMDB as this package opens it: once per process and file, never across a fork, with errors in words.

LMDB's locks belong to a process and a file: opening a file twice in one process would break them, and an environment
made before a fork is of no use after it. Whoever reads here shares one environment per process.
"""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codec.errors import CodecError, OutputFileError, TokenFileError

if TYPE_CHECKING:
    import lmdb

MAX_READERS = 1024
"""Reading processes and threads at a time: more workers than any machine loads data with."""

FULL_DISK_BYTES = 1 << 20
"""A disk with less than this is full: LMDB writes whole pages, many at a time."""


@dataclass(slots=True)
class _Shared:
    environment: lmdb.Environment
    process: int
    users: int


_open: dict[Path, _Shared] = {}


def import_lmdb() -> Any:
    """The lmdb package. Raises CodecError that says how to get it."""
    try:
        return importlib.import_module("lmdb")
    except ModuleNotFoundError as error:
        raise CodecError("An LMDB cache needs the lmdb package: pip install 'voxwire[cache]'") from error


def open_to_read(path: Path) -> lmdb.Environment:
    """This process's environment over `path`; `close_reading` it as often. Raises TokenFileError."""
    place = path.resolve()
    shared = _open.get(place)
    if shared is not None and shared.process != os.getpid():
        # Inherited over a fork. Closing it here forgets our half of it and touches nothing of the parent's.
        shared.environment.close()
        shared = None
    if shared is None:
        shared = _open[place] = _Shared(_open_read_only(path), os.getpid(), 0)
    shared.users += 1
    return shared.environment


def close_reading(path: Path) -> None:
    """One user of the environment over `path` is done."""
    place = path.resolve()
    shared = _open.get(place)
    if shared is None or shared.process != os.getpid():
        return
    shared.users -= 1
    if shared.users == 0:
        del _open[place]
        shared.environment.close()


def _open_read_only(path: Path) -> lmdb.Environment:
    package = import_lmdb()
    if not path.exists():
        raise TokenFileError(f"File not found at {path}")
    try:
        # A medium that cannot be written takes no lock file, and has nobody who writes.
        lock = os.access(path.parent, os.W_OK)
        environment: lmdb.Environment = package.open(
            str(path), subdir=False, readonly=True, lock=lock, readahead=False, max_readers=MAX_READERS
        )
    except package.Error as error:
        raise TokenFileError(f"{path} is no LMDB cache, or a damaged one: {error}") from error
    return environment


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """LMDB's errors while writing, as OutputFileError."""
    lmdb = import_lmdb()
    try:
        yield
    except lmdb.Error as error:
        raise OutputFileError(f"Cannot write {path}: {_said(error, path)}") from error


def _said(error: Exception, path: Path) -> str:
    """LMDB calls a write that a full disk cut short an input/output error."""
    try:
        is_full = shutil.disk_usage(path.parent).free < FULL_DISK_BYTES
    except OSError:
        is_full = False
    return f"no space left on the disk ({error})" if is_full else str(error)


@contextmanager
def input_errors(path: Path) -> Iterator[None]:
    """LMDB's errors while reading, as TokenFileError."""
    lmdb = import_lmdb()
    try:
        yield
    except lmdb.Error as error:
        raise TokenFileError(f"{path} is damaged: {error}") from error
