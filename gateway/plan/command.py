"""The command `gateway plan`: its flags, and what it prints."""

from __future__ import annotations

import argparse
import json

from gateway.config import GatewayConfig
from gateway.plan.page import plan_to_dict, plan_to_text, unmet_to_dict
from gateway.plan.planner import UnmetPlanError, make_plan
from gateway.plan.wish import Wish
from protocol.service import (
    add_common_arguments,
    add_stream_arguments,
    parse_bit_rate,
    parse_byte_count,
    parse_duration,
    parse_share,
)
from protocol.topics import Topics

__all__ = ["PLAN_EXAMPLE", "add_plan_options", "plan_command"]

PLAN_EXAMPLE = """examples:
  gateway plan --link 8kbps --rtt 600ms
  gateway plan --link 1.2kbps --rtt 2s --layers 4 --mtu 233 --seconds 8
  gateway plan --config gateway.toml --link 64kbps --rtt 300ms --budget 500MB --json"""


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    """The flags. Those that are settings have the settings' names, so that a file may say what holds already."""
    link = parser.add_argument_group("the link, of which one hop is the thin one")
    add = link.add_argument
    add("--link", dest="link_bps", type=parse_bit_rate, required=True, metavar="RATE",
        help="what both directions share: 8kbps, 8kbit/s, 0.5mbps")  # fmt: skip
    add("--rtt", type=parse_duration, required=True, metavar="TIME", help="round trip: 600ms, 1.5s")
    add("--loss", type=parse_share, metavar="SHARE", help="of packets: 2%% or 0.02 (default: 1%%; none up to 5 ms)")
    add("--mtu", type=int, metavar="BYTES",
        help="the largest IP packet; given, a packet is kept to one where possible (default: 1500)")  # fmt: skip
    add("--tls", action="store_true", help="price TLS (default: where the broker of the settings is mqtts://)")
    wishes = parser.add_argument_group("wishes; what is not wished for is chosen")
    add = wishes.add_argument
    add("--layers", dest="stream.layers", type=int, metavar="K", help="send so many layers, 1 to 16")
    add("--frames-per-packet", dest="stream.frames_per_packet", type=int, metavar="N", help="1 to 25")
    add("--qos", dest="stream.qos", type=int, choices=(0, 1), help="of the token packets")
    add("--max-delay", type=parse_duration, metavar="TIME", help="from mouth to ear, at most")
    prices = parser.add_argument_group("prices")
    add = prices.add_argument
    add("--seconds", type=parse_duration, metavar="TIME", help="price an announcement of so much speech: 8, 8s")
    add("--budget", type=parse_byte_count, metavar="BYTES", help="how much speech so many bytes are: 500MB")
    add_stream_arguments(parser)
    add_common_arguments(parser)


def plan_command(arguments: argparse.Namespace, config: GatewayConfig) -> int:
    """Plan and print. Raises PlanError; a plan that cannot be met is an object too with --json."""
    wish = Wish(
        link_bps=arguments.link_bps,
        rtt_s=arguments.rtt,
        loss=arguments.loss,
        mtu=arguments.mtu,
        tls=arguments.tls or config.broker.tls,
        layers=config.stream.layers,
        frames=config.stream.frames_per_packet,
        qos=config.stream.qos,
        max_delay_s=arguments.max_delay,
        speech_s=arguments.seconds,
        budget_bytes=arguments.budget,
        topics=Topics(config.stream.base),
        stream=config.stream.name,
    )
    try:
        plan = make_plan(wish)
    except UnmetPlanError as error:
        if not arguments.json:
            raise
        print(json.dumps(unmet_to_dict(error)))
        return int(error.exit_code)
    print(json.dumps(plan_to_dict(plan)) if arguments.json else plan_to_text(plan))
    return 0
