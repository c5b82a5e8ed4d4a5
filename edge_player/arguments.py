"""The flags of the command `edge-player`. A flag that is a setting has the setting's dotted name as its `dest`."""

from __future__ import annotations

import argparse
from pathlib import Path

from protocol.service import (
    add_broker_arguments,
    add_common_arguments,
    add_process_arguments,
    add_stream_arguments,
    parse_duration,
)

__all__ = ["add_settings"]


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Every flag of `run`; `check` and `config` take the same."""
    _add_playout(add_stream_arguments(parser))
    _add_sink(parser.add_argument_group("sound"))
    _add_decoder(parser.add_argument_group("decoder"))
    add_broker_arguments(parser)
    _add_link(parser.add_argument_group("link"))
    _add_ends(add_process_arguments(parser, whose="player", waits_for="broker, stream and sound card"))
    add_common_arguments(parser)


def _add_playout(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--layers",
        dest="stream.layers",
        metavar="K",
        help="play the first K layers only (default: all that come), or auto: as many tiers as the link bears",
    )
    add("--delay", dest="playout.delay", metavar="MS", help="from a packet's arrival to its sound, or auto (default)")
    add(
        "--offset",
        dest="playout.offset_ms",
        type=int,
        metavar="MS",
        help="added to the delay, may be negative: aligns the players of one room",
    )
    add(
        "--adapt",
        dest="playout.adapt",
        choices=("auto", "on", "off"),
        help="let the delay follow the link, by stretching the sound (auto, the default: on a sound card)",
    )
    add("--volume", dest="playout.volume", type=int, metavar="PERCENT", help="0 to 100 (default: 100)")
    add("--mute", dest="playout.mute", action="store_true", default=None, help="play silence")


def _add_sink(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--out",
        dest="sink.out",
        metavar="SINK",
        help="speaker (default), FILE.wav, - for raw s16le on standard output, or null",
    )
    add("--output-device", dest="sink.device", metavar="NAME", help="by name or number: edge-player devices")
    add("--output-rate", dest="sink.rate", type=int, metavar="HZ", help="to open the card at (default: its own)")
    add(
        "--output-channels",
        dest="sink.channels",
        metavar="N,N",
        help="of the card, those that carry the sound, from 1 (default: the first two)",
    )
    add("--exclusive", dest="sink.exclusive", action="store_true", default=None, help="the card for us alone")


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
    add(
        "--provider",
        dest="decoder.provider",
        choices=("auto", "cpu", "cuda"),
        help="where it runs (default: cpu); auto takes a GPU where there is one",
    )
    add("--threads", dest="decoder.threads", type=int, metavar="N", help="of the decoder (default: 1)")
    add(
        "--frames-per-step",
        dest="decoder.frames_per_step",
        type=int,
        metavar="N",
        help="decode so many frames at once where they came in time (default: 1): less work, the same delay",
    )


def _add_link(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--connections",
        dest="link.connections",
        type=int,
        metavar="N",
        help="hear the stream over so many connections at once, 1 to 3 (default: 1): for links that lose packets",
    )


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
