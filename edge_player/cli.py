"""The command `edge-player`: run, check, devices."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from edge_player.config import PlayerConfig
from protocol.service import (
    EXIT_CODES_HELP,
    StopSignal,
    add_broker_arguments,
    add_command,
    add_common_arguments,
    add_process_arguments,
    add_stream_arguments,
    configure_logging,
    load_config,
    parse_duration,
    run_command_line,
    setting_flags,
)

__all__ = ["main"]

_RUN_EXAMPLE = """examples:
  edge-player run --stream lobby --broker mqtt://localhost
  edge-player run --stream lobby --broker mqtts://player@broker.example:8883 --out lobby.wav --for 60s
  edge-player run --stream lobby --broker mqtt://localhost --out - | aplay -f S16_LE -r 16000 -c 1"""
_CHECK_EXAMPLE = """example:
  edge-player check --broker mqtt://localhost --provider cuda"""
_DEVICES_EXAMPLE = """example:
  edge-player devices --json"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. See `run_command_line`."""
    return run_command_line(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-player", description="Neural-codec tokens over MQTT to sound.", epilog=EXIT_CODES_HELP
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = add_command(commands, "run", _run, summary="play a stream: broker, decoder, sound card", example=_RUN_EXAMPLE)
    _add_settings(run)
    check = add_command(
        commands,
        "check",
        _check,
        summary="try decoder, sound card and broker, say what is wrong",
        example=_CHECK_EXAMPLE,
    )
    _add_settings(check)
    add_common_arguments(
        add_command(commands, "devices", _devices, summary="list the sound cards", example=_DEVICES_EXAMPLE)
    )
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Every flag of `run`; `check` takes the same."""
    _add_playout(add_stream_arguments(parser))
    _add_sink(parser.add_argument_group("sound"))
    _add_decoder(parser.add_argument_group("decoder"))
    add_broker_arguments(parser)
    _add_ends(add_process_arguments(parser, whose="player", waits_for="broker, stream and sound card"))
    add_common_arguments(parser)


def _add_playout(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--layers",
        dest="stream.layers",
        type=int,
        metavar="K",
        help="play the first K layers only (default: all that come)",
    )
    add("--delay", dest="playout.delay", metavar="MS", help="from a packet's arrival to its sound, or auto (default)")


def _add_sink(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--out",
        dest="sink.out",
        metavar="SINK",
        help="speaker (default), FILE.wav, - for raw s16le on standard output, or null",
    )
    add("--output-device", dest="sink.device", metavar="NAME", help="which sound card, by name or number")


def _add_decoder(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--codec", dest="decoder.codec", metavar="NAME", help="a packaged decoder (default: nano)")
    add(
        "--model",
        dest="decoder.model",
        type=Path,
        metavar="FILE",
        help="a decoder.onnx, or its folder, instead",
    )
    add("--provider", dest="decoder.provider", choices=("cpu", "cuda"), help="where it runs (default: cpu)")
    add("--threads", dest="decoder.threads", type=int, metavar="N", help="of the decoder (default: 1)")


def _add_ends(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--for", dest="run.limit_s", type=parse_duration, metavar="TIME", help="end after so long: 10s, 5m")
    add(
        "--exit-on-stop",
        dest="run.exit_on_stop",
        action="store_true",
        default=None,
        help="end when the stream has ended and was played out",
    )


def _config(arguments: argparse.Namespace) -> PlayerConfig:
    return load_config(PlayerConfig, path=arguments.config, environ=os.environ, flags=setting_flags(arguments))


def _run(arguments: argparse.Namespace) -> int:
    configure_logging(arguments.log_level, json=arguments.json)
    config = _config(arguments)
    from edge_player.run import run_player  # here, so that --help does not wait for the decoder's engine

    with StopSignal() as stop:
        stats = run_player(config, stop=stop.event)
    if arguments.json and config.sink.out != "-":
        print(json.dumps(stats))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    configure_logging("error", json=arguments.json)
    from edge_player.check import check_player, describe_report

    report = check_player(_config(arguments))
    print(json.dumps(describe_report(report)) if arguments.json else report.to_text())
    return report.exit_code


def _devices(arguments: argparse.Namespace) -> int:
    configure_logging(arguments.log_level, json=arguments.json)
    from edge_player.check import describe_devices

    print(describe_devices(as_json=arguments.json))
    return 0
