"""Files that appear under their name when they are whole, or never."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from codec.errors import CodecError, OutputFileError


class WholeFile:
    """Write to `path`; `commit` gives it the name `target`, `discard` takes it away. As a context manager it commits
    where the block ends well and discards where it does not.

    An older file of that name stays until then. A pipe or a device is written to directly: renaming would put a file in
    its place. Raises CodecError where `target` is the `source` too, OutputFileError where the name cannot be taken.
    """

    def __init__(self, target: Path, *, source: Path | None = None) -> None:
        self.target = target
        self._direct = target.exists() and not target.is_file()
        self._open = not self._direct
        if target.is_dir():
            raise OutputFileError(f"Cannot write {target}: it is a folder — name a file in it")
        if self._open and source is not None and target.exists() and source.exists() and target.samefile(source):
            raise CodecError(f"{target} is both input and output — name another output")
        self.path = target if self._direct else target.with_name(target.name + ".part")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()

    def commit(self) -> None:
        """The file is whole: give it its name. Does nothing the second time."""
        if not self._open:
            return
        try:
            os.replace(self.path, self.target)
        except OSError as error:
            self.discard()
            raise OutputFileError(f"Cannot write {self.target}: {error.strerror or error}") from error
        self._open = False

    def discard(self) -> None:
        """Remove what was written; nothing after `commit`."""
        if self._open:
            self._open = False
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """`folder` and those above it, where they are not there yet. Raises OutputFileError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputFileError(f"Cannot make the folder {folder}: {error.strerror or error}") from error
