"""The `codec` command: files in, tokens out, and back."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from codec.command import bench, compare, decode, encode, info
from codec.command.report import Outcome, print_report
from codec.errors import CodecError

EXIT_INTERRUPTED = 130

_EXAMPLES = """examples:
  codec encode speech.flac -o speech.vwt
  codec encode recordings/ -o tokens/ --format npz
  codec decode speech.vwt -o rebuilt.wav --layers 8
  codec compare speech.flac rebuilt.wav
  codec info speech.vwt
  codec bench --json

exit codes: 0 done, 1 failed (one file of many too), 2 usage, 66 no input, 76 codec mismatch, 78 configuration
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1, 2 usage, 66 no input, 76 codec mismatch, 78 configuration."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=arguments.log_level.upper(), format="%(levelname)s %(message)s")
    try:
        outcome: Outcome = arguments.run(arguments)
        print_report(outcome.report, as_json=arguments.json)
        sys.stdout.flush()
    except CodecError as error:
        print(f"codec: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; without this the interpreter complains once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return outcome.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="codec", description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"codec {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="encode|decode|compare|info|bench")
    for module in (encode, decode, compare, info, bench):
        module.add(commands)
    return parser


def _version() -> str:
    try:
        return version("voxwire")
    except PackageNotFoundError:
        return "(not installed)"
