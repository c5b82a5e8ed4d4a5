"""Writes the golden messages beside it: `python tests/protocol/data/make_golden.py`.

Put together byte by byte from SPEC.md, on purpose without the package `protocol` and without msgpack: a fault in
either would otherwise be in the golden bytes too. Files of a released version are never written anew with other bytes.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

Codes = list[list[int]]  # one list per layer
# Frames back to the parent and its layer, classes of the parent's codes, rows of bytes.
Layer = tuple[tuple[int, int] | None, list[int], list[list[int]]]


def integer(value: int) -> bytes:
    """The shortest msgpack form of an integer."""
    if 0 <= value < 128:
        return bytes([value])
    if -32 <= value < 0:
        return struct.pack(">b", value)
    if value > 0:
        for head, form, end in ((0xCC, ">B", 2**8), (0xCD, ">H", 2**16), (0xCE, ">I", 2**32), (0xCF, ">Q", 2**64)):
            if value < end:
                return bytes([head]) + struct.pack(form, value)
    for head, form, end in ((0xD0, ">b", 2**7), (0xD1, ">h", 2**15), (0xD2, ">i", 2**31), (0xD3, ">q", 2**63)):
        if value >= -end:
            return bytes([head]) + struct.pack(form, value)
    raise ValueError(value)


def binary(data: bytes) -> bytes:
    head = b"\xc4" + struct.pack(">B", len(data)) if len(data) < 256 else b"\xc5" + struct.pack(">H", len(data))
    return head + data


def array(*fields: bytes) -> bytes:
    return bytes([0x90 | len(fields)]) + b"".join(fields)


def bit_string(codes: Codes, bits: int) -> bytes:
    text = "".join(f"{layer[frame]:0{bits}b}" for frame in range(len(codes[0])) for layer in codes)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def made_up(layers: int, frames: int, codebook_size: int) -> Codes:
    """Codes that look random and are the same everywhere."""
    return [
        [(layer * 131 + frame * 977 + 7) * 7919 % codebook_size for frame in range(frames)] for layer in range(layers)
    ]


def packet(epoch: int, first_frame: int, codes: Codes, bits: int, *more: bytes) -> bytes:
    return array(integer(epoch), integer(first_frame), integer(len(codes[0])), binary(bit_string(codes, bits)), *more)


def valid_packets() -> dict[str, tuple[bytes, dict[str, object]]]:
    """File name to payload and to what it says."""
    made: dict[str, tuple[bytes, dict[str, object]]] = {}

    def add(name: str, epoch: int, first: int, codes: Codes, size: int, at: int | None = None, *more: bytes) -> None:
        bits = (size - 1).bit_length()
        extra = ((integer(at),) if at is not None else ()) + more
        says: dict[str, object] = {
            "epoch": epoch,
            "first_frame": first,
            "captured_at_ms": at,
            "codebook_size": size,
            "codes": codes,
        }
        made[f"packet_{name}.bin"] = packet(epoch, first, codes, bits, *extra), says

    add("one_frame", 5, 1000, [[layer] for layer in range(16)], 2048)
    add("five_frames", 127, 65_536, made_up(16, 5, 2048), 2048)
    add("twenty_five_frames", 0, 2**32 - 1, made_up(16, 25, 2048), 2048)
    add("captured", 77, 2**32 - 3, made_up(16, 2, 2048), 2048, 1_735_689_600_000)
    add("extra_fields", 1, 300, made_up(16, 1, 2048), 2048, 1_735_689_600_000, b"\xc3", b"\xa2hi", binary(b"later"))
    add("all_zero", 0, 0, [[0]] * 16, 2048)
    add("all_ones", 127, 2**32 - 1, [[2047]] * 16, 2048)
    add("one_layer_padded", 9, 128, [[1, 2047, 1024]], 2048)
    add("three_layers_padded", 9, 256, made_up(3, 4, 1500), 1500)
    add("one_bit", 3, 7, [[1, 0, 1]], 2)
    add("sixteen_bits", 3, 7, made_up(32, 25, 65_536), 65_536)
    add("pause", 5, 1000, made_up(16, 2, 2048), 2048, None, b"\xc0", integer(8))
    made["packet_pause.bin"][1]["pause_after"] = 8
    add("pause_captured", 5, 1000, made_up(16, 2, 2048), 2048, 1_735_689_600_000, integer(25))
    made["packet_pause_captured.bin"][1]["pause_after"] = 25
    return made


def entropy_tables() -> tuple[bytes, list[Layer]]:
    """A file of tables of four layers of 16 codes, and what is in it: by the frame before, by layer 0 of the same
    frame, by the layer's chances alone, and a layer without a table."""
    classes = [code % 3 for code in range(16)]

    def row(number: int) -> list[int]:
        return [130 if (code * 7 + number * 5) % 16 < 2 else 1 + code % 3 for code in range(16)]

    layers: list[Layer] = [
        ((1, 0), classes, [row(number) for number in range(4)]),
        ((0, 0), classes, [row(number) for number in range(4, 8)]),
        (None, [], [row(8)]),
        (None, [], []),
    ]
    data = b"VWE\x1a" + bytes([1, 4]) + struct.pack("<I", 16) + bytes.fromhex("0123456789abcdef" * 4)
    for parent, of_parent, rows in layers:
        data += bytes([len(rows), *(parent or (0, 0)), *of_parent])
        data += b"".join(map(bytes, rows))
    return data, layers


def weight(byte: int) -> int:
    return byte if byte < 16 else (16 + byte % 16) << (byte // 16 - 1)


def coded(codes: Codes, layers: list[Layer]) -> bytes:
    """In 32 bits, with carries into the bytes that are written already, as a reader in C would have it."""
    written, low, width = bytearray(), 0, 2**32 - 1
    for frame in range(len(codes[0])):
        for layer, (parent, classes, rows) in enumerate(layers):
            row = rows[0] if rows else [1] * 16
            if parent is not None and frame >= parent[0]:
                row = rows[1 + classes[codes[parent[1]][frame - parent[0]]]]
            code = codes[layer][frame]
            weights = [weight(byte) for byte in row]
            step = width // sum(weights)
            low += step * sum(weights[:code])
            width = step * weights[code]
            if low >= 2**32:
                low -= 2**32
                carry(written)
            while width < 2**24:
                written.append(low >> 24)
                low = (low << 8) & (2**32 - 1)
                width <<= 8
    for left_out in (24, 16):
        value = -(-low >> left_out)
        if (value + 1) << left_out <= low + width:
            break
    count = (32 - left_out) // 8
    if value >> (8 * count):
        carry(written)
    return bytes(written) + (value & ((1 << 8 * count) - 1)).to_bytes(count, "big")


def carry(written: bytearray) -> None:
    """One more in the last byte; a byte that runs over carries on."""
    at = len(written) - 1
    while written[at] == 255:
        written[at] = 0
        at -= 1
    written[at] += 1


def likely(frames: int, layers: list[Layer], surprise_every: int) -> Codes:
    """Codes of great weight, but for a few."""
    codes: Codes = [[] for _ in layers]
    for frame in range(frames):
        for layer, (parent, classes, rows) in enumerate(layers):
            row = rows[0] if rows else [1] * 16
            if parent is not None and frame >= parent[0]:
                row = rows[1 + classes[codes[parent[1]][frame - parent[0]]]]
            heavy = [code for code in range(16) if row[code] == max(row)]
            number = frame * len(layers) + layer
            codes[layer].append(number % 16 if number % surprise_every == 0 else heavy[number % len(heavy)])
    return codes


def coded_packets() -> dict[str, tuple[bytes, dict[str, object]]]:
    """File name to payload and to what it says, by the tables above; the last is packed, being no shorter coded."""
    _, layers = entropy_tables()
    made: dict[str, tuple[bytes, dict[str, object]]] = {}
    for name, codes in {
        "one_frame": likely(1, layers, 100),
        "five_frames": likely(5, layers, 7),
        "twenty_five_frames": likely(25, layers, 11),
        "packed": made_up(4, 5, 16),
    }.items():
        string = bit_string(codes, 4)
        shorter = coded(codes, layers)
        if (name == "packed") != (len(shorter) >= len(string)):
            raise ValueError(f"{name}: {len(shorter)} bytes coded, {len(string)} packed")
        data = min(string, shorter, key=len)
        payload = array(integer(5), integer(1000), integer(len(codes[0])), binary(data))
        made[f"coded_{name}.bin"] = payload, {"epoch": 5, "first_frame": 1000, "codes": codes}
    return made


def invalid_packets() -> dict[str, tuple[bytes, str]]:
    """File name to payload and to the reason it is refused for, by a receiver of one layer of 2048 codes."""
    e, f, n, codes = integer(5), integer(1000), integer(1), binary(bit_string([[2047]], 11))
    payloads = {
        "empty": (b"", "size"),
        "too_long": (array(e, f, n, codes, b"\xc5\x08\x00" + bytes(2048)), "size"),
        "truncated": (array(e, f, n, codes)[:-1], "malformed"),
        "two_arrays": (array(e, f, n, codes) * 2, "malformed"),
        "array_of_4_billion": (b"\xdd\xff\xff\xff\xff", "malformed"),
        "bin_of_4_billion": (array(e, f, n, b"\xc6\xff\xff\xff\xff"), "malformed"),
        "ext": (array(e, f, n, codes, b"\xd6\xff\x00\x00\x00\x00"), "malformed"),
        "never_used_byte": (array(e, f, n, codes, b"\xc1"), "malformed"),
        "bad_utf8": (array(e, f, n, codes, b"\xc0", b"\xa1\xff"), "malformed"),
        "nested_2000": (b"\x91" * 2000 + b"\xc0", "malformed"),
        "nested_1000": (b"\x91" * 1000 + b"\xc0", "structure"),
        "nested_in_trailing_field": (array(e, f, n, codes, b"\xc0", array(n)), "structure"),
        "empty_map_in_trailing_field": (array(e, f, n, codes, b"\xc0", b"\x80"), "structure"),
        "empty_ext_in_trailing_field": (array(e, f, n, codes, b"\xc0", b"\xc7\x00\x05"), "structure"),
        "a_map": (b"\x80", "structure"),
        "an_integer": (b"\x05", "structure"),
        "three_fields": (array(e, f, n), "structure"),
        "epoch_is_true": (array(b"\xc3", f, n, codes), "type"),
        "first_frame_is_true": (array(e, b"\xc3", n, codes), "type"),
        "frames_is_true": (array(e, f, b"\xc3", codes), "type"),
        "first_frame_is_float": (array(e, b"\xcb" + struct.pack(">d", 1000.0), n, codes), "type"),
        "first_frame_is_nan": (array(e, b"\xcb" + struct.pack(">d", float("nan")), n, codes), "type"),
        "first_frame_is_nil": (array(e, b"\xc0", n, codes), "type"),
        "codes_are_text": (array(e, f, n, b"\xa2ab"), "type"),
        "captured_at_is_text": (array(e, f, n, codes, b"\xa2ab"), "type"),
        "epoch_128": (array(integer(128), f, n, codes), "range"),
        "epoch_negative": (array(integer(-1), f, n, codes), "range"),
        "first_frame_2_to_32": (array(e, integer(2**32), n, codes), "range"),
        "first_frame_negative": (array(e, integer(-(2**40)), n, codes), "range"),
        "frames_zero": (array(e, f, integer(0), binary(b"")), "range"),
        "frames_26": (array(e, f, integer(26), binary(bytes(36))), "range"),
        "frames_2_to_64": (array(e, f, integer(2**64 - 1), codes), "range"),
        "captured_at_2_to_53": (array(e, f, n, codes, integer(2**53)), "range"),
        "codes_too_short": (array(e, f, integer(2), codes), "length"),
        "codes_too_long": (array(e, f, n, binary(bytes(3))), "length"),
        "codes_empty": (array(e, f, n, binary(b"")), "length"),
        "pad_bit_set": (array(e, f, n, binary(b"\xff\xe1")), "padding"),
    }
    return {f"bad_{name}.bin": payload for name, payload in payloads.items()}


def events() -> dict[str, tuple[bytes, dict[str, object]]]:
    """File name to payload and to what it says."""
    epoch, at = 0xFEDC_BA98_7654_3210, 1_735_689_600_000
    big = 2**32 + 5
    said = {
        "started": (1, {"epoch": epoch, "first_frame": 0, "at_ms": at}),
        "stopped": (2, {"epoch": epoch, "first_frame": 0, "last_frame": big, "at_ms": at + 80 * (big + 1)}),
        "stopped_empty": (2, {"epoch": epoch, "first_frame": 0, "last_frame": -1, "at_ms": at}),
        "gap": (3, {"epoch": 0, "first_frame": big, "frames": 50}),
        "priority": (4, {"epoch": 2**64 - 1, "priority": 9}),
        "clock": (5, {"epoch": 1, "frame": 125, "at_ms": at + 10_000, "rate_tenths_ppm": 125}),
        "clock_slow": (5, {"epoch": epoch, "frame": 2**53 - 1, "at_ms": 2**53 - 1, "rate_tenths_ppm": -1_000_000}),
        "stalled": (6, {"epoch": epoch, "frame": 1125, "at_ms": at + 90_000}),
        "resumed": (7, {"epoch": epoch, "frame": big, "at_ms": at + 80 * big}),
        "paused": (8, {"epoch": 127}),
    }
    made: dict[str, tuple[bytes, dict[str, object]]] = {}
    for name, (kind, fields) in said.items():
        made[f"event_{name}.bin"] = array(integer(kind), *map(integer, fields.values())), {"kind": kind, **fields}
    return made


def files() -> dict[str, bytes]:
    """Every file of this directory that is made here, by name."""
    packets, bad, said, by_tables = valid_packets(), invalid_packets(), events(), coded_packets()
    index = {
        "packets": {name: says for name, (_, says) in packets.items()},
        "bad_packets": {name: reason for name, (_, reason) in bad.items()},
        "events": {name: says for name, (_, says) in said.items()},
        "coded_packets": {name: says for name, (_, says) in by_tables.items()},
    }
    made = {name: payload for name, (payload, _) in (*packets.items(), *bad.items(), *said.items(), *by_tables.items())}
    made["entropy_tables.bin"] = entropy_tables()[0]
    made["index.json"] = (json.dumps(index, separators=(",", ":")).replace('"packet_', '\n"packet_') + "\n").encode()
    made["manifest.json"] = MANIFEST
    made["manifest_entropy.json"] = MANIFEST.replace(
        b'"language":"fr"', b'"language":"fr","entropy":"0f1e2d3c4b5a6978"'
    )
    made["manifest_silence.json"] = MANIFEST_SILENCE
    made["manifest_minimal.json"] = MANIFEST_MINIMAL
    made["status.json"] = STATUS
    return made


MANIFEST = (
    '{"v":1,"stream":"lobby","codec":{"name":"nano-1","sample_rate":16000,"frame_size":1280,"num_layers":16,'
    '"codebook_size":2048,"delay_samples":1440,"weights_sha256":"' + "0123456789abcdef" * 4 + '"},'
    '"tiers":[[0,4],[4,12]],"frames_per_packet":5,"epoch":"fedcba9876543210","started_at_ms":1735689600000,'
    '"first_frame":4294967296,"gateway_id":"gw-hall","qos":1,"playout_delay_ms":1200,"key_id":"k1",'
    '"title":"Gare du Nord — quai nº 3","language":"fr"}'
).encode()

MANIFEST_SILENCE = MANIFEST[:-1] + b',"silence":true}'

MANIFEST_MINIMAL = (
    '{"v":1,"stream":"a","codec":{"name":"x","sample_rate":8000,"frame_size":1,"num_layers":1,"codebook_size":2,'
    '"delay_samples":0,"weights_sha256":"' + "f" * 64 + '","later":{"a":[1]}},"tiers":[[0,1,"later"]],'
    '"frames_per_packet":1,"epoch":"0000000000000000","started_at_ms":0,"gateway_id":"-","qos":0,'
    '"playout_delay_ms":0,"title":null,"later":[{}]}'
).encode()

STATUS = (
    b'{"v":1,"role":"edge","id":"kitchen-2","state":"refused","session":"187a3f0c11223344",'
    b'"reason":"the stream needs codec nano-2, this player has nano-1","epoch":"fedcba9876543210",'
    b'"stats":{"frames_due":12,"decode_rtf":0.031,"provider":"cpu"}}'
)


if __name__ == "__main__":
    here = Path(__file__).parent
    for file_name, content in files().items():
        (here / file_name).write_bytes(content)
