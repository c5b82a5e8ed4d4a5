"""`python -m gateway`, and the entry point of the command `gateway`."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Run the command line of this process; returns the exit code."""
    # Before the imports below, which take some tenths of a second: Ctrl-C then shows no traceback of theirs.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from gateway.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
