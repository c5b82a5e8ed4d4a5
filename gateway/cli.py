"""The command `gateway`: run, demo, check, plan, config, devices."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from gateway.arguments import add_demo_options, add_settings
from gateway.config import GatewayConfig
from gateway.plan.command import PLAN_EXAMPLE, add_plan_options, plan_command
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
  gateway run --source talk.flac --stream lobby --broker mqtt://localhost
  gateway run --source mic --stream lobby --broker mqtts://gw@broker.example:8883 --link narrow
  ffmpeg -i talk.mp3 -f s16le -ar 16000 -ac 1 - | gateway run --source - --rate 16000"""
_DEMO_EXAMPLE = """examples:
  gateway demo
  gateway demo --source talk.mp3 --out result --link lan --json
  gateway demo --link all"""
_CHECK_EXAMPLE = """examples:
  gateway check --source mic --broker mqtt://localhost
  gateway check --config gateway.toml --json"""
_DEVICES_EXAMPLE = """example:
  gateway devices --json"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. See `run_command_line`."""
    return run_command_line(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gateway", description="Speech to neural-codec tokens over MQTT.", epilog=EXIT_CODES_HELP
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = add_command(commands, "run", _run, summary="send a stream: source, encoder, broker", example=_RUN_EXAMPLE)
    add_settings(run)
    add_demo_options(
        add_command(
            commands,
            "demo",
            _demo,
            summary="broker, gateway and player on this machine, from file to sound and back",
            example=_DEMO_EXAMPLE,
        )
    )
    check = add_command(
        commands,
        "check",
        _check,
        summary="try encoder, microphone or source, broker and permissions; say what is wrong and what to do",
        example=_CHECK_EXAMPLE,
    )
    add_settings(check)
    add_plan_options(
        add_command(
            commands,
            "plan",
            _plan,
            summary="choose the numbers of a stream for a link, and say what it will cost and how late it will be",
            example=PLAN_EXAMPLE,
        )
    )
    add_config_command(
        commands,
        GatewayConfig,
        program="gateway",
        sample="gateway.toml",
        add_settings=add_settings,
        cautions=lambda config: broker_cautions(config.broker),
    )
    add_common_arguments(
        add_command(commands, "devices", _devices, summary="list the microphones", example=_DEVICES_EXAMPLE)
    )
    return parser


def _config(arguments: argparse.Namespace) -> GatewayConfig:
    return load_config(GatewayConfig, path=arguments.config, environ=os.environ, flags=setting_flags(arguments))


def _run(arguments: argparse.Namespace) -> int:
    configure_logging(arguments.log_level, json=arguments.json)
    config = _config(arguments)
    from gateway.run import run_gateway  # here, so that --help does not wait for the codec

    with StopSignal() as stop:
        stats = run_gateway(config, stop=stop.event)
    if arguments.json:
        print(json.dumps(stats))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    configure_logging("error", json=arguments.json)
    from gateway.check import check_gateway

    report = check_gateway(_config(arguments))
    print(json.dumps(report.to_dict()) if arguments.json else report.to_text())
    return report.exit_code


def _plan(arguments: argparse.Namespace) -> int:
    configure_logging("error", json=arguments.json)
    return plan_command(arguments, _config(arguments))


def _devices(arguments: argparse.Namespace) -> int:
    configure_logging(arguments.log_level, json=arguments.json)
    from codec.audio.cards import describe_devices

    page = describe_devices(
        "input",
        as_json=arguments.json,
        none="No microphone found. Plug one in, or start the sound server.",
        choose="gateway run --source mic --input-device NAME",
    )
    print(page)
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    configure_logging(arguments.log_level, json=False)
    from gateway.demo import DemoOptions, DemoReport, LinkComparison, compare_links, run_demo

    options = DemoOptions(
        source=arguments.source,
        out=arguments.out,
        link=arguments.link[0],
        qos=arguments.qos,
        frames_per_packet=arguments.frames_per_packet,
        layers=arguments.layers,
        codec=arguments.codec,
        model=arguments.model,
        broker=arguments.prefer,
    )
    progress = sys.stderr.isatty() and not arguments.json
    report: DemoReport | LinkComparison
    with StopSignal() as stop:
        if len(arguments.link) == 1:
            report = run_demo(options, stop=stop.event, progress=progress)
        else:
            report = compare_links(options, arguments.link, stop=stop.event, progress=progress)
    print(report.to_json() if arguments.json else report.to_text())
    return 0
