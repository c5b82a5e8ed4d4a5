"""Bytes between a broker and one player, headers included: ours, Opus, Codec2 and PCM, the same speech, one run.

Real Mosquitto, our own Connection at both ends, real time. The counts are the kernel's (TCP_INFO of the player's and
of the gateway's socket): payload bytes and segments, pure acknowledgements and MQTT pings included.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import (
    Options,
    add_report_options,
    describe_machine,
    markdown_table,
    pin_to_core,
    report,
)
from benchmarks.quality.contenders import ContenderError
from benchmarks.wire.cases import batches
from benchmarks.wire.measure import Agreement, measure_batch, start_brokers
from benchmarks.wire.network import MTU, enter_own_network
from benchmarks.wire.plot import draw_wire
from benchmarks.wire.rows import Row, case_row, figures_line, target_rows
from benchmarks.wire.speech import load_speech
from gateway.errors import DemoError

WHOLE_S = 60
"""What is sent again and again comes round in so long: packets, clock reports, pings, status."""


def main() -> int:
    """The command. Its exit code: 0, 2 for a wrong command line, 1 where it cannot be done."""
    options, plot = _parse()
    own_network = enter_own_network()
    pin_to_core(options.core)
    machine = describe_machine(["paho-mqtt"])
    begun = time.monotonic()
    try:
        rows, agreements = _measure(options.seconds)
    except (ContenderError, DemoError) as error:
        print(f"benchmarks.wire: {error}", file=sys.stderr)
        return 1
    took_s = time.monotonic() - begun
    targets = target_rows(rows)
    report(
        options,
        title=f"Broker to one player and back, {options.seconds:g} s each, kernel counters",
        rows=rows,
        machine=machine,
        notes=[*_notes(own_network, agreements, took_s), f"Targets, over TLS:\n\n{markdown_table(targets)}"],
    )
    if plot is not None:
        draw_wire(plot, rows, heading="Quality for what a player's link really carries (MQTT 5, QoS 1, TCP/IP)")
        print(f"drawn to {plot}", file=sys.stderr)
    if not options.json:
        print(json.dumps(figures_line(rows)))
    return 0


def _parse() -> tuple[Options, Path | None]:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.wire",
        description=(__doc__ or "").splitlines()[0],
        epilog="example: python -m benchmarks.wire --plot wire.png",
    )
    parser.add_argument(
        "--seconds",
        type=int,
        default=WHOLE_S,
        help=f"counted of each case, {WHOLE_S} or a multiple (default: {WHOLE_S})",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw quality against the wire as PNG")
    add_report_options(parser, "wire")
    given = parser.parse_args()
    if given.seconds < 1 or given.seconds % WHOLE_S:
        parser.error(f"--seconds is {given.seconds}, expected {WHOLE_S} or a multiple of it")
    if given.core not in os.sched_getaffinity(0):
        parser.error(f"--core {given.core}: this process may use {sorted(os.sched_getaffinity(0))}")
    return Options(given.core, given.seconds, given.out, given.json), given.plot


def _measure(seconds: float) -> tuple[list[Row], list[Agreement]]:
    speech = load_speech()
    rows: list[Row] = []
    agreements = []
    with tempfile.TemporaryDirectory(prefix="voxwire-") as folder, start_brokers(Path(folder)) as brokers:
        for cases in batches():
            print(f"{len(cases)} streams for {seconds:g} s …", file=sys.stderr)
            measured, agreement = measure_batch(cases, speech, brokers, seconds=seconds, number_from=len(rows))
            rows += [case_row(each) for each in measured]
            agreements.append(agreement)
    return rows, agreements


def _notes(own_network: bool, agreements: Sequence[Agreement], took_s: float) -> list[str]:
    sockets, device = (sum(getattr(each, name) for each in agreements) for name in ("sockets", "device"))
    notes = [
        "player_kbps: down and up together, 52 bytes of IPv4 and TCP headers a segment, pings and clock reports "
        "included. payload_bytes: of one packet. predicted_kbps: by the model of `gateway plan`.",
        "Opus and Codec2 are what opusenc (constant rate, frames of 20 ms) and c2enc make of the same speech, in the "
        "same lean envelope as our tokens; a frame is 80 ms for all.",
        "idle: a connection over which no pause was declared, with its pings, each 30 s, and TCP's probes; "
        "`python -m benchmarks.silence` has pauses. idle, told: with the gateway's status and the player's "
        "metrics, each minute.",
        f"It took {took_s / 60:.1f} minutes.",
    ]
    if own_network:
        notes.append(
            f"IP packets of {MTU} bytes at most. The device that they went through counted {device} bytes, all sockets "
            f"together {sockets}: {100 * (sockets / device - 1):+.3f} %."
        )
    else:
        notes.append(
            "No network namespace could be made: loopback carried up to 64 KiB at once, so PCM costs a few per cent "
            "more on a real network than here."
        )
    return notes


if __name__ == "__main__":
    raise SystemExit(main())
