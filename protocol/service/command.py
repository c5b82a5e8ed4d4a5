"""The outermost frame of every command: errors become one sentence and an exit code."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable

from protocol.service.errors import ServiceError
from protocol.service.exit_codes import ExitCode
from protocol.service.liveness import PartFailedError

END_PATIENCE_S = 5.0
"""So long a process with a thread that hangs may take to end; a driver's lock that it holds could keep it for ever."""

_DISK_IS_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

# Control characters, line ends, changes of the writing direction, and the stand-ins of bytes that are no UTF-8. Not all
# that Python calls unprintable: Persian and Hindi names hold joiners of no width.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def own_process() -> None:
    """Behave as a command does: Ctrl-C ends the process at once, and no name is too strange to be printed.

    Python's own way with Ctrl-C, an exception wherever the program stands, shows a traceback while modules are imported
    or while the interpreter ends, and runs a whole shutdown where the user asked for none. What has to be ended in
    order waits on a `StopSignal`, which takes the first Ctrl-C. To be called by entry points only.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # File names may hold bytes that are no text, and a terminal may know fewer letters than a name has.
        sys.stdout.reconfigure(errors="backslashreplace")


def run_command(main: Callable[[], int | None]) -> int:
    """Run `main` and return the exit status of the process.

    An exception with an integer `exit_code` is one the user can act on: its text goes to standard error and no
    traceback is shown. Anything else is a bug of ours and is shown in full. SystemExit (argparse) passes through.
    """
    try:
        status = main()
        _flush_output()  # here, not at interpreter exit, so that a closed pipe and a full disk are handled below
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:  # the reader of our output left (`… | head`)
        _drop_output()
        return int(ExitCode.FAILURE)
    except Exception as error:
        exit_code = _report(error)
        _settle_output()
        if isinstance(error, PartFailedError):
            _end_soon(exit_code)
        return exit_code
    return int(ExitCode.OK) if status is None else int(status)


def _end_soon(exit_code: int) -> None:
    """End by force what does not end by itself: libraries tidy up at exit, PortAudio's under the lock that hangs."""
    end = threading.Timer(END_PATIENCE_S, os._exit, (exit_code,))
    end.daemon = True
    end.start()


def _report(error: Exception) -> int:
    """Say what went wrong; returns the exit code."""
    exit_code = exit_code_of(error)
    if exit_code is None and isinstance(error, OSError) and error.errno in _DISK_IS_FULL:
        _drop_output()
        error = _full_disk(error)
        exit_code = exit_code_of(error)
    if exit_code is None:
        traceback.print_exception(error)
        print("error: unexpected failure, this is a bug; the traceback above says where", file=sys.stderr)
        return int(ExitCode.FAILURE)
    print(f"error: {sentence_of(error)}", file=sys.stderr)
    return exit_code


def exit_code_of(error: Exception) -> int | None:
    """The exit code of an error that a user can act on; None: a bug of ours."""
    code = getattr(error, "exit_code", None)
    return int(code) if isinstance(code, int) else None


def sentence_of(error: Exception) -> str:
    """The error's text on one line; its class name when it has none."""
    return printable(" ".join(str(error).split())) or type(error).__name__


def printable(text: str) -> str:
    """`text` with what steers a terminal, or is no text, spelled out: a file may have any name."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def _flush_output() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop_output()
        raise _full_disk(error) from error


def _full_disk(error: OSError) -> ServiceError:
    where = error.filename or "standard output"  # of all that we write, only what is printed has no name
    return ServiceError(f"Cannot write to {where}: {error.strerror or error}; make room there")


def _settle_output() -> None:
    """Write what was printed before an error; where that is no longer possible, the error was said already."""
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()


def _drop_output() -> None:
    """What waits to be written must not raise once more while Python shuts down."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
