"""What an attacker sends: refused with the one exception of its kind, in less than 1 ms and 1 MB."""

from __future__ import annotations

import struct
import time
import tracemalloc
from collections.abc import Callable

import msgpack
import numpy as np
import pytest

from protocol.errors import ManifestError, MessageError, PacketError, ProtocolError
from protocol.event import ClockReport, decode_event, encode_event
from protocol.manifest import decode_manifest
from protocol.packet import PacketLimits, TokenPacket, decode_packet, encode_packet
from protocol.status import decode_status

MEGABYTE = 2**20
LIMITS = PacketLimits(num_layers=16, codebook_size=2048)
PACKET = encode_packet(TokenPacket(epoch=1, first_frame=2, codes=np.ones((16, 25), np.uint16)), codebook_size=2048)
EVENT = encode_event(ClockReport(epoch=1, frame=2, at_ms=3))

BINARY = {
    "nothing": b"",
    "a megabyte of zeros": bytes(MEGABYTE),
    "a megabyte of empty maps": b"\xdd" + struct.pack(">I", MEGABYTE) + b"\x80" * MEGABYTE,
    "a megabyte of nesting": b"\x91" * MEGABYTE,
    "a bin of a megabyte": b"\x94\x01\x02\x01\xc6" + struct.pack(">I", MEGABYTE) + bytes(MEGABYTE),
    "nesting within the size": b"\x91" * 250,
    "nesting that ends": b"\x91" * 250 + b"\xc0",
    "nesting to the size": b"\x91" * 2048,
    "nesting to the size that ends": b"\x91" * 1000 + b"\xc0",
    "nested arrays of 15": b"\x9f" * 255,
    "nested arrays of 16": b"\xdc\x00\x10" * 680,
    "nested arrays of 4 billion": b"\xdd\xff\xff\xff\xff" * 400,
    "nested maps": b"\x81\x01" * 1000,
    "array of 4 billion": b"\xdd\xff\xff\xff\xff",
    "array of 65535": b"\xdc\xff\xff" + bytes(200),
    "map of 4 billion": b"\xdf\xff\xff\xff\xff",
    "text of 4 billion": b"\x94\x01\x02\x01\xdb\xff\xff\xff\xff",
    "bin of 4 billion": b"\x94\x01\x02\x01\xc6\xff\xff\xff\xff",
    "bin of 65535": b"\x94\x01\x02\x01\xc5\xff\xff" + bytes(100),
    "ext of 4 billion": b"\x94\x01\x02\x01\xc9\xff\xff\xff\xff\x05",
    "ext": b"\x95\x01\x02\x01\xc4\x00\xc7\x08\x05" + bytes(8),
    "timestamp": b"\x95\x01\x02\x01\xc4\x00\xd7\xff" + bytes(8),
    "empty ext": b"\x95\x01\x02\x01\xc4\x00\xc7\x00\x05",
    "never used": b"\xc1",
    "true for all": b"\x95\xc3\xc3\xc3\xc3\xc3",
    "nil for all": b"\x95\xc0\xc0\xc0\xc0\xc0",
    "floats for all": b"\x95" + (b"\xcb" + struct.pack(">d", 1.0)) * 5,
    "not a number": b"\x95" + (b"\xcb" + struct.pack(">d", float("nan"))) * 5,
    "largest integers": b"\x95" + b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff" * 5,
    "smallest integers": b"\x95" + b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00" * 5,
    "text that is not UTF-8": b"\x95\x01\x02\x01\xa4\xff\xfe\xfd\xfc\x01",
    "text for all": b"\x95" + b"\xa5hello" * 5,
    "random bytes": np.random.default_rng(0).bytes(240),
    "truncated packet": PACKET[:-1],
    "truncated event": EVENT[:-1],
    "packet twice": PACKET[:100] + PACKET,
    "event twice": EVENT + EVENT,
    "gzip": b"\x1f\x8b\x08" + bytes(100),
    "json": b'{"v":1}',
    "pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os",
}

PACKETS = {
    **BINARY,
    "code too large": encode_packet(
        TokenPacket(epoch=1, first_frame=2, codes=np.full((16, 11), 4095, np.uint16)), codebook_size=4096
    ),
    "count against length": msgpack.packb([1, 2, 24, PACKET[-550:]]),
    "count 25, no codes": msgpack.packb([1, 2, 25, b""]),
    "count 2 to 64": msgpack.packb([1, 2, 2**64 - 1, b"\x00" * 22]),
    "true as count": msgpack.packb([1, 2, True, b"\x00" * 22]),
    "trailing nested": msgpack.packb([1, 2, 1, b"\x00" * 22, None, [[[]]]]),
    "trailing map": msgpack.packb([1, 2, 1, b"\x00" * 22, None, {"a": {}}]),
    "17 fields": msgpack.packb([1, 2, 1, b"\x00" * 22, *[None] * 13]),
    "trailing text of a kilobyte": msgpack.packb([1, 2, 1, b"\x00" * 22, None, "x" * 1000]),
}

HOSTILE_JSON = {
    "nothing": b"",
    "a megabyte of zeros": bytes(MEGABYTE),
    "a megabyte of nesting": b"[" * MEGABYTE,
    "a megabyte of digits": b"1" * MEGABYTE,
    "nesting to the size": b"[" * 1024,
    "nesting of objects to the size": b'{"a":' * 200,
    "nesting that ends": b'{"v":' + b"[" * 500 + b"]" * 500 + b"}",
    "digits to the size": b'{"v":' + b"9" * 1000 + b"}",
    "an exponent": b'{"v":1e999999999}',
    "the same key twice": b'{"v":1,"v":1}',
    "the same key a hundred times": b"{" + b",".join([b'"v":1'] * 100) + b"}",
    "not a number": b'{"v":NaN}',
    "infinity": b'{"v":-Infinity}',
    "text": b'"text"',
    "null": b"null",
    "array": b"[1,2,3]",
    "UTF-16": '{"v":1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + b'{"v":1}',
    "not UTF-8": b'{"v":"\xff\xfe"}',
    "surrogate": b'{"v":1,"stream":"\\ud800"}',
    "control characters": b'{"v":1,"stream":"\x00\x1b"}',
    "codec nested": b'{"v":1,"stream":"a","codec":{"name":{"name":{}}}}',
    "true as version": b'{"v":true}',
    "wide object": b"{" + b",".join(b'"%d":0' % key for key in range(120)) + b"}",
    "msgpack": PACKET,
}

DECODERS: dict[str, tuple[Callable[[bytes], object], type[ProtocolError], dict[str, bytes]]] = {
    "packet": (lambda payload: decode_packet(payload, LIMITS), PacketError, PACKETS),
    "event": (decode_event, MessageError, BINARY),
    "manifest": (decode_manifest, ManifestError, HOSTILE_JSON),
    "status": (decode_status, MessageError, HOSTILE_JSON),
}

CASES = [(decoder, name) for decoder, (_, _, payloads) in DECODERS.items() for name in payloads]


@pytest.mark.parametrize(("decoder", "name"), CASES)
def test_hostile_payload_is_refused_in_a_millisecond_and_a_megabyte(decoder: str, name: str) -> None:
    decode, error, payloads = DECODERS[decoder]
    payload = payloads[name]

    def refuse() -> None:
        with pytest.raises(error) as refused:
            decode(payload)
        assert len(str(refused.value)) < 300

    refuse()
    assert fastest(decode, payload, error) < 1e-3
    assert peak_memory(decode, payload, error) < 1e6


def fastest(decode: Callable[[bytes], object], payload: bytes, error: type[ProtocolError]) -> float:
    """Seconds; the best of several, because the machine may be busy with something else."""
    best = float("inf")
    for _ in range(15):
        start = time.perf_counter()
        try:
            decode(payload)
        except error:
            best = min(best, time.perf_counter() - start)
    return best


def peak_memory(decode: Callable[[bytes], object], payload: bytes, error: type[ProtocolError]) -> int:
    """Bytes that were in use at the worst moment, beyond those before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        try:
            decode(payload)
        except error:
            return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    raise AssertionError("the payload was accepted")
