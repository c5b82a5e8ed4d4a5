"""Counting what became of many recordings, and the bar that shows it."""

from __future__ import annotations

import errno
import io
import sys

import pytest

from codec.errors import AudioFileError, CodecError, OutputFileError
from codec.files.conversion import Conversion
from codec.files.folder import FolderRun
from codec.progress import Progress
from codec.spec import CodecSpec

SPEC = CodecSpec("made-up", 16000, 1280, 16, 2048, 0, "1" * 64)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _conversion(seconds: int) -> Conversion:
    return Conversion.of(
        SPEC,
        frames=seconds * 25 // 2,
        num_samples=seconds * 16000,
        bytes_written=100,
        elapsed_s=0.5,
        replaced_samples=0,
        chunks=1,
    )


def _refusal(number: int) -> OutputFileError:
    try:
        raise OSError(number, "no")
    except OSError as error:
        refusal = OutputFileError("Cannot write x: no")
        refusal.__cause__ = error
        return refusal


def test_the_bar_counts_files_and_makes_room_for_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("codec.progress._INTERVAL_S", 0.0)
    with FolderRun("encoding", 4) as run:
        run.progressed(2.0)
        run.done(_conversion(2))
        run.skipped()
        run.failed("in/x.wav", CodecError("it is broken"))
        run.done(_conversion(4))
    printed = terminal.getvalue()
    assert "encoding [###############...............]  50% 2/4 files, 2 s of sound" in printed
    assert "\x1b[Kcodec: in/x.wav: it is broken\n" in printed
    assert printed.endswith("\r\x1b[K")
    summary = run.summary
    assert (summary.files, summary.done, summary.skipped, summary.failed) == (4, 2, 1, 1)
    assert (summary.seconds, summary.bytes_written) == (6.0, 200)
    assert summary.failures == [{"file": "in/x.wav", "error": "it is broken"}]
    assert summary.rtf == pytest.approx(summary.elapsed_s / 6, abs=1e-3)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_disk_that_takes_no_more_ends_the_run(number: int) -> None:
    with FolderRun("encoding", 4) as run, pytest.raises(OutputFileError):
        run.failed("x", _refusal(number))


def test_faults_of_one_file_do_not() -> None:
    with FolderRun("encoding", 4) as run:
        run.failed("x", _refusal(errno.ENAMETOOLONG))
        run.failed("y", OutputFileError("'' cannot be a name"))
        run.failed("z", AudioFileError("no sound", path=None, reason="empty"))  # type: ignore[arg-type]
    assert run.summary.failed == 3


def test_away_from_a_terminal_only_failures_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with FolderRun("encoding", 2) as run:
        run.done(_conversion(2))
        run.failed("x", CodecError("broken x"))
    assert stream.getvalue() == "codec: broken x\n"


def test_a_bar_is_taken_away_once() -> None:
    terminal = _Terminal()
    progress = Progress("decoding", None, unit="files", stream=terminal)
    progress.update(3, "and a note")
    progress.close()
    progress.close()
    progress.update(4)
    assert terminal.getvalue() == "\r\x1b[Kdecoding 3 files, and a note\r\x1b[K"
