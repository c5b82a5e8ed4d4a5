"""The command `gateway`: run, demo, check, devices."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.config import GatewayConfig
from protocol.link import LINK_PROFILES
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
  gateway run --source talk.flac --stream lobby --broker mqtt://localhost
  gateway run --source mic --stream lobby --broker mqtts://gw@broker.example:8883 --link narrow
  ffmpeg -i talk.mp3 -f s16le -ar 16000 -ac 1 - | gateway run --source - --rate 16000"""
_DEMO_EXAMPLE = """examples:
  gateway demo
  gateway demo --source talk.mp3 --out result --link lan --json"""
_CHECK_EXAMPLE = """example:
  gateway check --source talk.flac --broker mqtt://localhost"""
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
    _add_settings(run)
    _add_demo(
        add_command(
            commands,
            "demo",
            _demo,
            summary="broker, gateway and player on this machine, from file to sound and back",
            example=_DEMO_EXAMPLE,
        )
    )
    check = add_command(
        commands, "check", _check, summary="try source, encoder and broker, say what is wrong", example=_CHECK_EXAMPLE
    )
    _add_settings(check)
    add_common_arguments(
        add_command(commands, "devices", _devices, summary="list the microphones", example=_DEVICES_EXAMPLE)
    )
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Every flag of `run`; `check` takes the same."""
    _add_source(parser.add_argument_group("source"))
    _add_stream(add_stream_arguments(parser))
    _add_codec(parser.add_argument_group("codec"))
    add_broker_arguments(parser)
    add_process_arguments(parser, whose="gateway", waits_for="broker and microphone")
    add_common_arguments(parser)


def _add_source(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--source",
        dest="source.target",
        metavar="SOURCE",
        help="mic, a file, a directory, or - for raw 16-bit PCM on stdin",
    )
    add("--loop", dest="source.loop", action="store_true", default=None, help="start files again at their end")
    add("--for", dest="source.limit_s", type=parse_duration, metavar="TIME", help="end after so much audio: 10s")
    add("--rate", dest="source.rate", type=int, metavar="HZ", help="of the PCM on stdin (default: 16000)")
    add("--channels", dest="source.channels", type=int, metavar="N", help="of the PCM on stdin (default: 1)")
    add(
        "--live",
        dest="source.live",
        action="store_true",
        default=None,
        help="stdin keeps time itself (arecord): do not pace it",
    )
    add("--input-device", dest="source.device", metavar="NAME", help="which microphone, by name or number")


def _add_stream(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--title", dest="stream.title", metavar="TEXT", help="for people, in the manifest")
    add("--language", dest="stream.language", metavar="TAG", help="such as en or pt-BR, in the manifest")
    add(
        "--link",
        dest="stream.link",
        choices=list(LINK_PROFILES),
        help="batching, QoS and delay together (default: wan)",
    )
    add(
        "--frames-per-packet",
        dest="stream.frames_per_packet",
        type=int,
        metavar="N",
        help="1 to 25 (default: of the link)",
    )
    add("--qos", dest="stream.qos", type=int, choices=(0, 1), help="of the token packets (default: of the link)")
    add("--layers", dest="stream.layers", type=int, metavar="K", help="send the first K layers only (default: all)")
    add(
        "--start-delay",
        dest="stream.start_delay_s",
        type=parse_duration,
        metavar="TIME",
        help="announce the stream so long before its audio: 3s",
    )


def _add_codec(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--codec", dest="codec.name", metavar="NAME", help="nano or qwen3-12hz (default: nano)")
    add(
        "--model",
        dest="codec.model",
        type=Path,
        metavar="DIR",
        help="with encoder.onnx (default: the packaged one)",
    )
    add("--engine", dest="codec.engine", choices=("onnx", "torch"), help="what runs the encoder (default: onnx)")
    add("--device", dest="codec.device", choices=("cpu", "cuda"), help="where it runs (default: cpu)")
    add("--threads", dest="codec.threads", type=int, metavar="N", help="of the encoder (default: 1)")


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", type=Path, metavar="FILE", help="speech to send (default: a bundled clip)")
    parser.add_argument(
        "--out", type=Path, default=Path("voxwire-demo"), metavar="DIR", help="where results go (default: %(default)s)"
    )
    parser.add_argument("--link", choices=list(LINK_PROFILES), default="wan", help="link profile (default: wan)")
    parser.add_argument("--qos", type=int, choices=(0, 1), help="of the token packets (default: of the link)")
    parser.add_argument("--frames-per-packet", type=int, metavar="N", help="1 to 25 (default: of the link)")
    parser.add_argument("--layers", type=int, metavar="K", help="send the first K layers only (default: all)")
    parser.add_argument("--codec", metavar="NAME", help="nano or qwen3-12hz (default: nano)")
    parser.add_argument("--model", type=Path, metavar="DIR", help="with encoder.onnx and decoder.onnx")
    parser.add_argument(
        "--broker", dest="prefer", choices=("auto", "mosquitto", "amqtt"), default="auto", help="which broker to start"
    )
    add_common_arguments(parser)
    parser.set_defaults(log_level="warning")


def _config(arguments: argparse.Namespace) -> GatewayConfig:
    return load_config(GatewayConfig, path=arguments.config, environ=os.environ, flags=setting_flags(arguments))


def _run(arguments: argparse.Namespace) -> int:
    configure_logging(arguments.log_level, json=arguments.json)
    from gateway.run import run_gateway  # here, so that --help does not wait for the codec

    with StopSignal() as stop:
        stats = run_gateway(_config(arguments), stop=stop.event)
    if arguments.json:
        print(json.dumps(stats))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    configure_logging("error", json=arguments.json)
    from gateway.check import check_gateway

    report = check_gateway(_config(arguments))
    print(json.dumps(report.to_dict()) if arguments.json else report.to_text())
    return report.exit_code


def _devices(arguments: argparse.Namespace) -> int:
    configure_logging(arguments.log_level, json=arguments.json)
    from gateway.check import describe_devices

    print(describe_devices(as_json=arguments.json))
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    configure_logging(arguments.log_level, json=False)
    from gateway.demo import DemoOptions, run_demo

    options = DemoOptions(
        source=arguments.source,
        out=arguments.out,
        link=arguments.link,
        qos=arguments.qos,
        frames_per_packet=arguments.frames_per_packet,
        layers=arguments.layers,
        codec=arguments.codec,
        model=arguments.model,
        broker=arguments.prefer,
    )
    with StopSignal() as stop:
        report = run_demo(options, stop=stop.event, progress=sys.stderr.isatty() and not arguments.json)
    print(report.to_json() if arguments.json else report.to_text())
    return 0
