"""The command `edge-player`: run, check, config, devices."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence

from edge_player.arguments import add_settings
from edge_player.config import PlayerConfig
from protocol.service import (
    EXIT_CODES_HELP,
    StopSignal,
    add_command,
    add_common_arguments,
    add_config_command,
    configure_logging,
    load_config,
    run_command_line,
    setting_flags,
)
from protocol.transport import broker_cautions

__all__ = ["main"]

_RUN_EXAMPLE = """examples:
  edge-player run --stream lobby --broker mqtt://localhost
  edge-player run --stream lobby --broker mqtts://player@broker.example:8883 --out lobby.wav --for 60s
  edge-player run --stream lobby --broker mqtt://localhost --out - | aplay -f S16_LE -r 16000 -c 1"""
_CHECK_EXAMPLE = """examples:
  edge-player check --broker mqtt://localhost --tone
  edge-player check --config edge-player.toml --json"""
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
    add_settings(run)
    check = add_command(
        commands,
        "check",
        _check,
        summary="try decoder, sound card, broker and permissions; say what is wrong and what to do",
        example=_CHECK_EXAMPLE,
    )
    check.add_argument("--tone", action="store_true", help="play one second of a test tone")
    add_settings(check)
    add_config_command(
        commands,
        PlayerConfig,
        program="edge-player",
        sample="edge-player.toml",
        add_settings=add_settings,
        cautions=lambda config: broker_cautions(config.broker),
    )
    add_common_arguments(
        add_command(commands, "devices", _devices, summary="list the sound cards", example=_DEVICES_EXAMPLE)
    )
    return parser


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
    from edge_player.check import check_player

    report = check_player(_config(arguments), tone=arguments.tone)
    print(json.dumps(report.to_dict()) if arguments.json else report.to_text())
    return report.exit_code


def _devices(arguments: argparse.Namespace) -> int:
    configure_logging(arguments.log_level, json=arguments.json)
    from codec.audio.cards import describe_devices

    page = describe_devices(
        "output",
        as_json=arguments.json,
        none="No sound card that can play. Plug one in, start the sound server, or play to a file: --out FILE.wav",
        choose="edge-player run --output-device NAME",
    )
    print(page)
    return 0
