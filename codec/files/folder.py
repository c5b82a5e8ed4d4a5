"""Many recordings in one go: what is done already is left out, what cannot be read is said and left out."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass, field

from codec.errors import CodecError, OutputFileError
from codec.files.conversion import Conversion
from codec.progress import Progress

_OF_ONE_FILE = frozenset({errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EINVAL, errno.ELOOP})
"""Faults of one name. Any other that keeps a file from being written, a full disk say, would meet all that follow."""


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """How many recordings run side by side (`rows`), how many layers are kept (None: all), whether what is done already
    is done again (`force`)."""

    rows: int = 1
    layers: int | None = None
    force: bool = False


@dataclass(slots=True)
class Summary:
    """What became of many recordings. `skipped` were done before; `failures`: {"file", "error"} of each.

    `seconds` of sound went through in `elapsed_s`, `rtf` is their ratio; all of those that were done now.
    """

    files: int
    done: int = 0
    skipped: int = 0
    failed: int = 0
    frames: int = 0
    seconds: float = 0.0
    bytes_written: int = 0
    elapsed_s: float = 0.0
    rtf: float = 0.0
    failures: list[dict[str, str]] = field(default_factory=list)


class FolderRun:
    """A Listener that counts, shows a bar of files, and prints what failed. A context manager; read `summary` after."""

    def __init__(self, label: str, files: int) -> None:
        self.summary = Summary(files)
        self._progress = Progress(label, files, unit="files")
        self._seconds = 0.0
        self._started = time.monotonic()

    def __enter__(self) -> FolderRun:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.close()
        summary = self.summary
        summary.elapsed_s = round(time.monotonic() - self._started, 3)
        summary.seconds = round(summary.seconds, 3)
        summary.rtf = round(summary.elapsed_s / summary.seconds, 4) if summary.seconds else 0.0

    def opened(self, duration_s: float | None) -> None:
        """See Listener."""

    def progressed(self, seconds: float) -> None:
        """See Listener."""
        self._seconds += seconds
        self._show()

    def done(self, result: Conversion) -> None:
        """See Listener."""
        self.summary.done += 1
        self.summary.frames += result.frames
        self.summary.seconds += result.seconds
        self.summary.bytes_written += result.bytes_written
        self._show()

    def skipped(self) -> None:
        """One was done before."""
        self.summary.skipped += 1
        self._show()

    def more(self, files: int) -> None:
        """An input turned out to hold so many recordings."""
        self.summary.files += files - 1

    def failed(self, source: str, error: CodecError) -> None:
        """See Listener: raises what would meet every other file too."""
        if isinstance(error, OutputFileError) and not _is_of_one_file(error):
            raise error
        self.summary.failed += 1
        text = str(error) if source in str(error) else f"{source}: {error}"
        self.summary.failures.append({"file": source, "error": str(error)})
        self._progress.say(f"codec: {text}")

    def _show(self) -> None:
        summary = self.summary
        finished = summary.done + summary.skipped + summary.failed
        self._progress.update(finished, f"{self._seconds:.0f} s of sound")


def _is_of_one_file(error: OutputFileError) -> bool:
    cause = error.__cause__
    return cause is None or (isinstance(cause, OSError) and cause.errno in _OF_ONE_FILE)
