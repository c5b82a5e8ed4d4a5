"""The flags of the command `gateway`. A flag that is a setting has the setting's dotted name as its `dest`."""

from __future__ import annotations

import argparse
from pathlib import Path

from protocol.link import LINK_PROFILES
from protocol.service import (
    add_broker_arguments,
    add_common_arguments,
    add_process_arguments,
    add_stream_arguments,
    parse_duration,
)

__all__ = ["add_demo_options", "add_settings"]


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Every flag of `run`; `check` and `config` take the same."""
    _add_source(parser.add_argument_group("source"))
    _add_microphone(parser.add_argument_group("microphone"))
    _add_conditioning(parser.add_argument_group("conditioning, before the encoder"))
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
        help="mic, a file, a play list, a directory, http(s)://…, or - for raw PCM on stdin",
    )
    add("--loop", dest="source.loop", action="store_true", default=None, help="start files again at their end")
    add(
        "--shuffle",
        dest="source.shuffle",
        action="store_true",
        default=None,
        help="files of a play list or directory in another order on every pass",
    )
    add("--for", dest="source.limit_s", type=parse_duration, metavar="TIME", help="end after so much audio: 10s")
    add(
        "--format",
        dest="source.format",
        choices=("s16le", "s24le", "s32le", "f32le"),
        help="of the PCM on stdin (default: s16le)",
    )
    add("--rate", dest="source.rate", type=int, metavar="HZ", help="of the PCM on stdin (default: 16000)")
    add("--channels", dest="source.channels", type=int, metavar="N", help="of the PCM on stdin (default: 1)")
    add(
        "--live",
        dest="source.live",
        action="store_true",
        default=None,
        help="stdin keeps time itself (arecord); an address is a radio though it does not say so",
    )


def _add_microphone(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--input-device", dest="microphone.device", metavar="NAME", help="by name or number: gateway devices")
    add("--input-rate", dest="microphone.rate", type=int, metavar="HZ", help="to open it at (default: its own)")
    add(
        "--input-channel",
        dest="microphone.channel",
        type=int,
        metavar="N",
        help="send this one, from 1 (default: the mean of the first two)",
    )
    add("--exclusive", dest="microphone.exclusive", action="store_true", default=None, help="the card for us alone")
    add("--no-meter", dest="run.meter", action="store_false", default=None, help="do not draw the input level")


def _add_conditioning(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--gain", dest="conditioning.gain_db", type=float, metavar="DB", help="fixed gain (default: 0)")
    add(
        "--auto-gain",
        dest="conditioning.auto_gain",
        action="store_true",
        default=None,
        help="follow the speech level slowly (default: off)",
    )
    add(
        "--high-pass",
        dest="conditioning.high_pass_hz",
        type=float,
        metavar="HZ",
        help="take away rumble below, such as 80 (default: off)",
    )
    add(
        "--limiter",
        dest="conditioning.limiter",
        action="store_true",
        default=None,
        help="keep peaks below full scale instead of clipping (default: off)",
    )


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
    add(
        "--packing",
        dest="stream.packing",
        choices=("auto", "fixed", "adaptive"),
        help="let packets grow while the link is slow (auto: at QoS 1 with one tier and no --frames-per-packet)",
    )
    add("--qos", dest="stream.qos", type=int, choices=(0, 1), help="of the token packets (default: of the link)")
    add("--layers", dest="stream.layers", type=int, metavar="K", help="send the first K layers only (default: all)")
    add(
        "--tiers",
        dest="stream.tiers",
        metavar="K,K,…",
        help="so many layers on each topic, as in 4,12: players take what they can afford (default: all on one)",
    )
    add(
        "--upper-qos",
        dest="stream.upper_qos",
        type=int,
        choices=(0, 1),
        help="of all tiers but the base (default: that of the base)",
    )
    add(
        "--silence",
        dest="stream.silence",
        choices=("off", "on"),
        help="on: nothing is sent while nobody speaks (default: off)",
    )
    add(
        "--start-delay",
        dest="stream.start_delay_s",
        type=parse_duration,
        metavar="TIME",
        help="announce the stream so long before its audio: 3s",
    )
    add(
        "--entropy",
        dest="stream.entropy",
        choices=("auto", "on", "off"),
        help="code packets by the codec's tables (default: auto, where packets are long enough for it to pay)",
    )


def _add_codec(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--codec", dest="codec.name", metavar="NAME", help="nano or qwen3-12hz (default: nano)")
    add(
        "--model",
        dest="codec.model",
        metavar="DIR",
        help="with encoder.onnx or released weights, or their repository OWNER/NAME (default: the packaged one)",
    )
    add(
        "--engine",
        dest="codec.engine",
        choices=("auto", "onnx", "torch"),
        help="what runs the encoder (default: auto, torch for released weights, else onnx)",
    )
    add(
        "--device",
        dest="codec.device",
        metavar="DEVICE",
        help="cpu (default), cuda, cuda:1, or auto: a GPU where there is one",
    )
    add("--threads", dest="codec.threads", type=int, metavar="N", help="of the encoder (default: 1)")


def add_demo_options(parser: argparse.ArgumentParser) -> None:
    """The flags of `demo`, which are no settings: it makes its own."""
    parser.add_argument("--source", type=Path, metavar="FILE", help="speech to send (default: a bundled clip)")
    parser.add_argument(
        "--out", type=Path, default=Path("voxwire-demo"), metavar="DIR", help="where results go (default: %(default)s)"
    )
    parser.add_argument(
        "--link",
        type=_link_names,
        default=["wan"],
        metavar="LINK",
        help="lan, wan or narrow (default: wan); several, with commas between them, or all: compares them",
    )
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


def _link_names(text: str) -> list[str]:
    """`lan,wan` as the names of profiles, each once; `all` as all of them."""
    names = list(LINK_PROFILES) if text == "all" else list(dict.fromkeys(name.strip() for name in text.split(",")))
    if unknown := [name for name in names if name not in LINK_PROFILES]:
        known = ", ".join(LINK_PROFILES)
        raise argparse.ArgumentTypeError(f"expected some of {known}, or all; got {', '.join(map(repr, unknown))}")
    return names
