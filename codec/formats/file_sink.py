"""One recording into one token file, which is whole or not there."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from codec.files.whole_file import WholeFile
from codec.formats.npz import NpzWriter
from codec.formats.pt import PtWriter
from codec.formats.vwt import TokenWriter
from codec.session import AnyIntegers
from codec.spec import CodecSpec

FileFormat = Literal["vwt", "pt", "npz"]

WRITERS: dict[str, type[TokenWriter | PtWriter | NpzWriter]] = {"vwt": TokenWriter, "pt": PtWriter, "npz": NpzWriter}


class FileSink:
    """A TokenSink of a file of its own. Raises OutputFileError, CodesError."""

    def __init__(
        self, target: Path, kind: FileFormat, spec: CodecSpec, *, layers: int | None = None, source: Path | None = None
    ) -> None:
        self._file = WholeFile(target, source=source)
        try:
            self._writer = WRITERS[kind](self._file.path, spec, layers=layers)
        except BaseException:
            self._file.discard()
            raise

    def write(self, codes: AnyIntegers) -> None:
        """See TokenSink."""
        self._writer.write(codes)

    def finish(self, num_samples: int) -> int:
        """See TokenSink."""
        self._writer.finish(num_samples)
        size = self._file.path.stat().st_size
        self._file.commit()
        return size

    def discard(self) -> None:
        """See TokenSink."""
        self._writer.close()
        self._file.discard()
