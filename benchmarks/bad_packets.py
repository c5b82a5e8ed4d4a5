"""What packets of garbage cost a player, and how much of its processor they can take behind the flood gate.

The player's own receiver takes them, with two epochs known, both entropy-coded, so that a payload may be read twice.
Processor time, so that neighbours do not count.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, replace

import msgpack
import numpy as np

from benchmarks.harness import Cell, describe_machine, parse_options, pin_to_core, report
from codec.packaged import PACKAGED_VERSIONS, packaged_folder
from codec.spec import CodecSpec
from edge_player.buffer.timeline import Timeline
from edge_player.intake.inbox import InboxKind, InboxMessage
from edge_player.intake.receiver import Receiver
from edge_player.intake.receiver_values import ReceiverConfig
from protocol.entropy import TABLES_NAME, decode_tables
from protocol.limits import MAX_RATE_FACTOR, MAX_TIERS
from protocol.manifest import CodecIdentity, StreamManifest, Tier, encode_manifest
from protocol.packet import TokenPacket, encode_packet

SPEC = CodecSpec("nano-1", 16_000, 1280, 16, 2048, 0, "ab" * 32)
EPOCH = 0x1234_5678_9ABC_DE05
STREAM_RATE = 12.5
"""Packets a second of the fastest stream there is, one frame each."""
FLOOD_RATE = 1000.0
TABLES = decode_tables(packaged_folder(PACKAGED_VERSIONS["nano"]).joinpath(TABLES_NAME).read_bytes())
CASES = 1000


def main() -> int:
    summary = (__doc__ or "").splitlines()[0]
    options = parse_options("bad_packets", summary, seconds=2.0, seconds_help="processor seconds for each kind")
    pin_to_core(options.core)
    logging.disable(logging.WARNING)  # the flood is said once, as it should be
    machine = describe_machine(["numpy", "msgpack"])
    rows = [_row(name, payloads, options.seconds) for name, payloads in _payloads().items()]
    rows.append(_row("noise, beyond the flood gate", _payloads()["noise of 64 bytes"], options.seconds, flood=True))
    report(
        options,
        title="Packets of garbage, at a player of nano",
        rows=rows,
        machine=machine,
        notes=[
            "most_percent: of one core, where as many come as the flood gate lets pass in the long run: "
            f"{MAX_RATE_FACTOR} times the usual {STREAM_RATE:g} packets a second; of a stream in {MAX_TIERS} tiers "
            f"{MAX_TIERS} times as much.",
            f"What the gate drops has no bound but the network's: its row is for {FLOOD_RATE:g} a second.",
        ],
    )
    return 0


def _payloads() -> dict[str, list[bytes]]:
    """Kinds of garbage; each payload of the noise is another one."""
    generator = np.random.default_rng(0)
    good = encode_packet(TokenPacket(5, 10, generator.integers(0, 2048, (16, 25), dtype=np.uint16)), codebook_size=2048)
    wide = TokenPacket(5, 10, np.full((32, 25), 65535, dtype=np.uint16))
    return {
        "noise of 64 bytes": [generator.bytes(64) for _ in range(CASES)],
        "noise of 2048 bytes": [generator.bytes(2048) for _ in range(CASES)],
        "25 frames, cut short": [good[:-1]],
        "codes of another codec": [encode_packet(wide, codebook_size=65536)],
        "nested arrays of 2048 bytes": [b"\xdc\x00\x10" * 680],
        "nesting of 2048 bytes": [b"\x91" * 2048],
        "fields that are no integers": [msgpack.packb([1, 2, True, b"\x00" * 22])],
        "25 frames, coded noise": [msgpack.packb([5, 10, 25, generator.bytes(540)]) for _ in range(CASES)],
        "25 frames of an unknown epoch": [
            encode_packet(TokenPacket(99, 10, np.zeros((16, 25), dtype=np.uint16)), codebook_size=2048)
        ],
    }


def _receiver() -> Receiver:
    receiver = Receiver(
        ReceiverConfig(stream="lobby"),
        SPEC,
        Timeline(),
        follow=lambda tiers, gateway: None,
        on_state=lambda state: None,
        tables=TABLES,
    )
    identity = CodecIdentity(**asdict(SPEC))
    manifest = StreamManifest(
        stream="lobby",
        codec=identity,
        tiers=(Tier(0, 16),),
        frames_per_packet=1,
        epoch=EPOCH - 1,
        started_at_ms=1_000_000,
        gateway_id="gw-1",
        qos=0,
        playout_delay_ms=160,
        first_frame=0,
        entropy=TABLES.fingerprint,
    )
    for told in (manifest, replace(manifest, epoch=EPOCH, started_at_ms=2_000_000)):
        receiver.handle(InboxMessage(InboxKind.MANIFEST, encode_manifest(told), 0.0, retained=True))
    return receiver


def _row(name: str, payloads: list[bytes], seconds: float, *, flood: bool = False) -> dict[str, Cell]:
    """`flood`: all come at one moment, and the gate lets none of them pass."""
    receiver = _receiver()
    at, apart_s = 10.0, 0.0 if flood else 1 / (MAX_RATE_FACTOR * STREAM_RATE)
    costs, spent = [], 0
    while spent < seconds * 1e9:
        messages = []
        for number in range(CASES):
            at += apart_s
            messages.append(InboxMessage(InboxKind.TOKENS, payloads[number % len(payloads)], at))
        begun = time.process_time_ns()
        for message in messages:
            receiver.handle(message)
        cost = time.process_time_ns() - begun
        spent += cost
        costs.append(cost / CASES / 1000)
    stats = receiver.stats
    refused = stats.flood_dropped if flood else stats.packets_bad + stats.packets_unexpected
    assert refused >= 0.99 * stats.packets_received, f"{name}: only {refused} of {stats.packets_received} were refused"
    microseconds = float(np.median(costs))
    rate = FLOOD_RATE if flood else MAX_RATE_FACTOR * STREAM_RATE
    return {"packets": name, "us_each": microseconds, "most_percent": 100 * microseconds * rate / 1e6}


if __name__ == "__main__":
    raise SystemExit(main())
