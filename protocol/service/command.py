"""The outermost frame of every command: errors become one sentence and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

from protocol.service.exit_codes import ExitCode


def run_command(main: Callable[[], int | None]) -> int:
    """Run `main` and return the exit status of the process.

    An exception with an integer `exit_code` is one the user can act on: its text goes to standard error and no
    traceback is shown. Anything else is a bug of ours and is shown in full. SystemExit (argparse) passes through.
    """
    try:
        status = main()
        sys.stdout.flush()  # here, not at interpreter exit, so that a closed pipe is handled below
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output left (`… | head`). Later writes must not raise again while Python shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.FAILURE)
    except Exception as error:
        exit_code = exit_code_of(error)
        if exit_code is None:
            traceback.print_exc()
            print("error: unexpected failure, this is a bug; the traceback above says where", file=sys.stderr)
            return int(ExitCode.FAILURE)
        print(f"error: {sentence_of(error)}", file=sys.stderr)
        return exit_code
    return int(ExitCode.OK) if status is None else int(status)


def exit_code_of(error: Exception) -> int | None:
    """The exit code of an error that a user can act on; None: a bug of ours."""
    code = getattr(error, "exit_code", None)
    return int(code) if isinstance(code, int) else None


def sentence_of(error: Exception) -> str:
    """The error's text on one line; its class name when it has none."""
    return " ".join(str(error).split()) or type(error).__name__
