"""Command-line arguments that commands share, and the way from flags to settings.

A flag that is a setting has the setting's dotted name as its `dest`: `--broker` has `broker.url`. One table of flags
then serves both argparse and `load_config`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from protocol.service.command import own_process, run_command
from protocol.service.exit_codes import EXIT_CODES_HELP

DISTRIBUTION = "voxwire"
LOG_LEVELS = ("debug", "info", "warning", "error")

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)")
_SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add a subcommand whose help ends with an example and the exit codes; returns its parser.

    `run` does it and returns the exit code; `run_command_line` calls it.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"{example}\n\n{EXIT_CODES_HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def run_command_line(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
    """Parse `argv` (None: the process's own, and we own the process), run the subcommand, return the exit code.

    `--help` and usage errors leave by SystemExit, as argparse does; see `run_command` for all other errors.
    """
    if argv is None:
        own_process()
    arguments = parser.parse_args(argv)
    return run_command(lambda: arguments.run(arguments))


def add_stream_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add --stream and --base; returns their group, for whatever else is said of the stream."""
    group = parser.add_argument_group("stream")
    group.add_argument(
        "--stream", dest="stream.name", metavar="ID", help="id of the stream, [a-z0-9-] (default: lobby)"
    )
    group.add_argument("--base", dest="stream.base", metavar="TOPIC", help="first part of every topic (default: vw)")
    return group


def add_broker_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --broker, --username, --password-file, the TLS files and --tls-min."""
    group = parser.add_argument_group("broker")
    group.add_argument(
        "--broker",
        dest="broker.url",
        metavar="URL",
        help="mqtt://[user:password@]host[:port], mqtts://… (TLS), ws://… or wss://… (WebSocket); several, with commas "
        "between them, are tried in turn",
    )
    group.add_argument("--username", dest="broker.username", metavar="NAME", help="to log in with")
    group.add_argument(
        "--password-file", dest="broker.password_file", type=Path, metavar="FILE", help="holds the password"
    )
    group.add_argument(
        "--cafile", dest="broker.ca_file", type=Path, metavar="FILE", help="certificate authority of the broker"
    )
    group.add_argument(
        "--certfile", dest="broker.cert_file", type=Path, metavar="FILE", help="our own certificate, to show the broker"
    )
    group.add_argument("--keyfile", dest="broker.key_file", type=Path, metavar="FILE", help="key of --certfile")
    group.add_argument(
        "--tls-min", dest="broker.tls_min", choices=("1.2", "1.3"), help="oldest version of TLS (default: 1.2)"
    )


def add_process_arguments(parser: argparse.ArgumentParser, *, whose: str, waits_for: str) -> argparse._ArgumentGroup:
    """Add --id, --wait and --stats-file; returns their group. `whose` and `waits_for` complete the help texts."""
    group = parser.add_argument_group("process")
    group.add_argument(
        "--id", dest="run.id", metavar="ID", help=f"of this {whose} (default: made from the machine's identity)"
    )
    group.add_argument(
        "--wait", dest="run.wait", action="store_true", default=None, help=f"wait for {waits_for} for ever"
    )
    group.add_argument(
        "--stats-file",
        dest="run.stats_file",
        type=Path,
        metavar="FILE",
        help="write the counters there as JSON at the end",
    )
    return group


def setting_flags(arguments: argparse.Namespace) -> dict[str, object]:
    """The flags that are settings, by dotted name, for `load_config`; None: not given."""
    return {name: value for name, value in vars(arguments).items() if "." in name}


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --config, --json, --log-level and --version to `parser`."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML; flags and VOXWIRE_… win over it")
    parser.add_argument("--json", action="store_true", help="print results as JSON, for machines")
    parser.add_argument("--log-level", choices=LOG_LEVELS, default="info", help="what to log (default: %(default)s)")
    parser.add_argument("--version", action="version", version=f"{DISTRIBUTION} {distribution_version()}")


def distribution_version() -> str:
    """Version of the installed distribution; `0+source` when run from a source tree that was never installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0+source"


def parse_duration(text: str) -> float:
    """Seconds from `10s`, `250ms`, `1.5m`, `2h` or a bare number of seconds; an argparse type."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"expected a duration such as 10s, 250ms, 1.5m or 2h, got {text!r}")
    return float(match[1]) * _SECONDS_PER_UNIT[match[2]]
