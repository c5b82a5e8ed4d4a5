"""What comes from a broker: token packets, events, manifests, statuses, topics."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from protocol.entropy import CodesCoder, decode_tables, encode_tables
from protocol.errors import (
    Fault,
    ManifestError,
    MessageError,
    PacketError,
    ProtocolError,
    TablesError,
    TopicError,
)
from protocol.event import decode_event, encode_event
from protocol.limits import MAX_EPOCH_LOW7, MAX_MANIFEST_BYTES, MAX_SERIAL, MAX_STATS, MAX_STATUS_BYTES
from protocol.manifest import decode_manifest, encode_manifest
from protocol.packet import PacketLimits, TokenPacket, decode_packet, encode_packet
from protocol.status import decode_status, encode_status
from protocol.topics import Topics
from protocol.untrusted import ID_PATTERN
from tests.fuzz.byte_cases import ByteCases
from tests.fuzz.json_cases import JsonCases
from tests.fuzz.msgpack_cases import MsgpackCases
from tests.fuzz.target import Target

GOLDEN: Final = Path(__file__).resolve().parents[1] / "protocol" / "data"
MAX_SENTENCE: Final = 600
"""Characters: a refusal goes into logs, whatever was in the payload."""

_TOPICS: Final = Topics("site/a")


def golden(pattern: str) -> list[bytes]:
    """The golden messages of these names."""
    found = [path.read_bytes() for path in sorted(GOLDEN.glob(pattern))]
    assert found, f"no {pattern} in {GOLDEN}"
    return found


def wire_targets() -> list[Target]:
    """Every parser of `protocol`."""
    manifests = golden("manifest*.json")
    packets = MsgpackCases([*golden("packet_*.bin"), *golden("bad_*.bin")])
    topics = ByteCases(
        [
            topic.encode()
            for topic in (
                _TOPICS.manifest("lobby"), _TOPICS.tokens("a-1", 3), _TOPICS.event("lobby"), _TOPICS.clip("lobby", "c"),
                _TOPICS.gateway_status("g"), _TOPICS.edge_command("e", "stop"), _TOPICS.edge_ack("e", "1"), "#", "+/+",
            )
        ]
    )  # fmt: skip
    return [
        Target("packet", 265, 2000, packets, _parse_packet, (PacketError,)),
        Target("coded packet", 40, 1000, MsgpackCases(golden("coded_*.bin")), _parse_coded_packet, (PacketError,)),
        Target("entropy tables", 10, 500, ByteCases(golden("entropy_tables.bin")), _parse_tables, (TablesError,)),
        Target("manifest", 200, 2000, JsonCases(manifests), _parse_manifest, (ManifestError,)),
        Target("event", 170, 2000, MsgpackCases(golden("event_*.bin")), _parse_event, (MessageError,)),
        Target("status", 150, 2000, JsonCases(golden("status.json")), _parse_status, (MessageError,)),
        Target("topic", 20, 1000, topics, _parse_topic, (TopicError,)),
    ]


def _golden_limits() -> list[PacketLimits]:
    index = json.loads((GOLDEN / "index.json").read_text())
    found = {(len(packet["codes"]), packet["codebook_size"]) for packet in index["packets"].values()}
    return [PacketLimits(num_layers=layers, codebook_size=size) for layers, size in sorted(found)]


_LIMITS: Final = _golden_limits()


def _parse_packet(case: bytes) -> None:
    """By the limits of every golden packet; refused where all refuse."""
    refusal: PacketError | None = None
    accepted = False
    for limits in _LIMITS:
        try:
            packet = decode_packet(case, limits)
        except PacketError as error:
            refusal = error
        else:
            accepted = True
            _check_packet(packet, limits)
    if not accepted and refusal is not None:
        raise _sentence(refusal)


_CODER: Final = CodesCoder(decode_tables((GOLDEN / "entropy_tables.bin").read_bytes()), num_layers=4)
_CODED: Final = PacketLimits(num_layers=4, codebook_size=16, coder=_CODER)


def _parse_coded_packet(case: bytes) -> None:
    """By the golden tables; what is accepted is what a writer makes of it."""
    try:
        packet = decode_packet(case, _CODED)
    except PacketError as error:
        raise _sentence(error) from None
    _check_packet(packet, _CODED)


def _parse_tables(case: bytes) -> None:
    try:
        tables = decode_tables(case)
    except TablesError as error:
        raise _sentence(error) from None
    assert encode_tables(tables) == case
    CodesCoder(tables, num_layers=tables.num_layers)


def _check_packet(packet: TokenPacket, limits: PacketLimits) -> None:
    assert type(packet.epoch) is int
    assert 0 <= packet.epoch <= MAX_EPOCH_LOW7
    assert type(packet.first_frame) is int
    assert 0 <= packet.first_frame <= MAX_SERIAL
    assert packet.codes.dtype == np.uint16
    assert packet.num_layers == limits.num_layers
    assert 1 <= packet.num_frames <= limits.max_frames
    assert int(packet.codes.max()) < limits.codebook_size
    payload = encode_packet(packet, codebook_size=limits.codebook_size, coder=limits.coder)
    assert decode_packet(payload, limits) == packet


def _parse_event(case: bytes) -> None:
    try:
        event = decode_event(case)
    except MessageError as error:
        raise _sentence(error) from None
    assert decode_event(encode_event(event)) == event


def _parse_manifest(case: bytes) -> None:
    try:
        manifest = decode_manifest(case)
    except ManifestError as error:
        raise _sentence(error) from None
    for tier in range(len(manifest.tiers)):
        manifest.packet_limits(tier)
    assert manifest.num_layers <= manifest.codec.num_layers
    payload = _fitting(lambda: encode_manifest(manifest))
    if payload is not None:
        assert len(payload) <= MAX_MANIFEST_BYTES
        assert decode_manifest(payload) == manifest


def _parse_status(case: bytes) -> None:
    try:
        status = decode_status(case)
    except MessageError as error:
        raise _sentence(error) from None
    assert len(status.stats) <= MAX_STATS
    payload = _fitting(lambda: encode_status(status))
    if payload is not None:
        assert len(payload) <= MAX_STATUS_BYTES
        assert decode_status(payload) == status


def _fitting(encode: Callable[[], bytes]) -> bytes | None:
    """What was read as we would write it; None where that is too long, which readers take and writers do not make."""
    try:
        return encode()
    except ProtocolError as error:
        if error.reason is not Fault.SIZE:
            raise AssertionError(f"what was read cannot be written: {error}") from error
        return None


def _parse_topic(case: bytes) -> None:
    try:
        parsed = _TOPICS.parse(case.decode("utf-8", "surrogateescape"))
    except TopicError as error:
        raise _sentence(error) from None
    for part in (parsed.id, parsed.item):
        assert part is None or ID_PATTERN.fullmatch(part)


def _sentence(error: ProtocolError) -> ProtocolError:
    """`error`, whose text must fit a log: one short line that can be written."""
    text = str(error)
    assert len(text) <= MAX_SENTENCE, f"a refusal of {len(text)} characters"
    assert text.isprintable(), f"a refusal that cannot be printed: {text!r}"
    return error
