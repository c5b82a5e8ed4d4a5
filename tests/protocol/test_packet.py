from __future__ import annotations

from dataclasses import replace

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocol.errors import Fault, PacketError
from protocol.packet import PacketLimits, TokenPacket, decode_packet, encode_packet
from protocol.sequence import to_serial

LIMITS = PacketLimits(num_layers=16, codebook_size=2048)


def random_codes(layers: int, frames: int, size: int = 2048, seed: int = 0) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, size, (layers, frames)).astype(np.uint16)


def a_packet(frames: int = 5, first_frame: int = 1000, captured_at_ms: int | None = None) -> TokenPacket:
    return TokenPacket(epoch=5, first_frame=first_frame, codes=random_codes(16, frames), captured_at_ms=captured_at_ms)


@st.composite
def packets(draw: st.DrawFn) -> tuple[TokenPacket, PacketLimits]:
    layers, frames = draw(st.integers(1, 32)), draw(st.integers(1, 25))
    size = draw(st.integers(2, 65_536))
    packet = TokenPacket(
        epoch=draw(st.integers(0, 127)),
        first_frame=draw(st.integers(0, 2**32 - 1)),
        codes=random_codes(layers, frames, size, draw(st.integers(0, 2**32 - 1))),
        captured_at_ms=draw(st.none() | st.integers(0, 2**53 - 1)),
        pause_after=draw(st.integers(0, 25)),
    )
    return packet, PacketLimits(num_layers=layers, codebook_size=size)


@settings(deadline=None)
@given(made=packets())
def test_packets_round_trip(made: tuple[TokenPacket, PacketLimits]) -> None:
    packet, limits = made
    payload = encode_packet(packet, codebook_size=limits.codebook_size)
    back = decode_packet(payload, limits)
    assert back == packet
    assert back.codes.dtype == np.uint16
    assert (back.num_layers, back.num_frames) == packet.codes.shape


@pytest.mark.parametrize("index", [0, 127, 128, 65_535, 65_536, 2**31, 2**32 - 1, 2**32, 2**40 + 7])
@pytest.mark.parametrize("frames", [1, 5, 25])
def test_envelope_without_capture_time_is_at_most_12_bytes_at_any_index(index: int, frames: int) -> None:
    payload = encode_packet(a_packet(frames, to_serial(index)), codebook_size=2048)
    assert len(payload) - 22 * frames <= 12
    assert decode_packet(payload, LIMITS).first_frame == index % 2**32


def test_capture_time_costs_nine_bytes() -> None:
    without = encode_packet(a_packet(), codebook_size=2048)
    assert len(encode_packet(a_packet(captured_at_ms=1_735_689_600_000), codebook_size=2048)) == len(without) + 9


def test_packets_compare_by_value() -> None:
    assert a_packet() == a_packet()
    assert a_packet() != a_packet(captured_at_ms=1)
    assert a_packet() != a_packet(frames=4)
    assert a_packet() != "a packet"
    with pytest.raises(TypeError, match="unhashable"):
        hash(a_packet())


def test_wider_forms_of_the_same_integers_are_accepted() -> None:
    packet = a_packet(1)
    codes = encode_packet(packet, codebook_size=2048)[-22:]
    wide = b"\xdc\x00\x04\xd3" + (5).to_bytes(8, "big") + b"\xcf" + (1000).to_bytes(8, "big") + b"\xd1\x00\x01"
    assert decode_packet(wide + b"\xc6\x00\x00\x00\x16" + codes, LIMITS) == packet


def test_nil_as_capture_time_means_none() -> None:
    fields = msgpack.unpackb(encode_packet(a_packet(), codebook_size=2048))
    assert decode_packet(msgpack.packb([*fields, None]), LIMITS) == a_packet()


@pytest.mark.parametrize("extra", [[True], [3.5, "text", b"bytes"], [None] * 11, [-(2**63), 2**64 - 1]])
def test_fields_of_a_later_version_are_ignored(extra: list[object]) -> None:
    fields = msgpack.unpackb(encode_packet(a_packet(captured_at_ms=7), codebook_size=2048))
    assert decode_packet(msgpack.packb([*fields, *extra]), LIMITS) == a_packet(captured_at_ms=7)


def test_a_pause_costs_two_bytes() -> None:
    plain = encode_packet(a_packet(), codebook_size=2048)
    paused = encode_packet(replace(a_packet(), pause_after=8), codebook_size=2048)
    assert len(paused) == len(plain) + 2
    assert decode_packet(paused, LIMITS).pause_after == 8


@pytest.mark.parametrize("field", [0, 26, -1, 2**64 - 1, True, 8.0, None, "8", b"8"])
def test_what_is_no_pause_in_its_field_is_ignored_as_it_ever_was(field: object) -> None:
    fields = msgpack.unpackb(encode_packet(a_packet(captured_at_ms=7), codebook_size=2048))
    assert decode_packet(msgpack.packb([*fields, field]), LIMITS) == a_packet(captured_at_ms=7)


@pytest.mark.parametrize("pause_after", [-1, 26, True])
def test_a_pause_after_more_frames_than_a_packet_has_is_refused_by_the_writer(pause_after: int) -> None:
    with pytest.raises(PacketError, match="pause_after"):
        replace(a_packet(), pause_after=pause_after)


def test_more_than_16_fields_are_refused() -> None:
    fields = msgpack.unpackb(encode_packet(a_packet(), codebook_size=2048))
    with pytest.raises(PacketError):
        decode_packet(msgpack.packb([*fields, *[None] * 13]), LIMITS)


def test_a_code_of_the_codebook_size_is_refused_at_both_ends() -> None:
    packet = TokenPacket(epoch=0, first_frame=0, codes=np.full((2, 3), 1500, np.uint16))
    with pytest.raises(PacketError, match="expected codes below 1500, got 1500") as refused:
        encode_packet(packet, codebook_size=1500)
    assert refused.value.reason is Fault.CODE
    payload = encode_packet(packet, codebook_size=1501)
    assert decode_packet(payload, PacketLimits(num_layers=2, codebook_size=1501)) == packet
    with pytest.raises(PacketError) as refused:
        decode_packet(payload, PacketLimits(num_layers=2, codebook_size=1500))
    assert refused.value.reason is Fault.CODE


def test_one_bad_code_in_the_last_place_is_found() -> None:
    codes = np.zeros((16, 25), np.uint16)
    codes[15, 24] = 2047
    payload = encode_packet(TokenPacket(epoch=0, first_frame=0, codes=codes), codebook_size=2048)
    with pytest.raises(PacketError, match="below 2047, got 2047"):
        decode_packet(payload, PacketLimits(num_layers=16, codebook_size=2047))


def test_more_frames_than_the_limits_allow_are_refused() -> None:
    payload = encode_packet(a_packet(5), codebook_size=2048)
    with pytest.raises(PacketError, match="frames: expected 1 to 4, got 5"):
        decode_packet(payload, PacketLimits(num_layers=16, codebook_size=2048, max_frames=4))


@pytest.mark.parametrize("layers", [1, 8, 15, 17, 32])
def test_a_packet_of_another_tier_is_refused(layers: int) -> None:
    payload = encode_packet(a_packet(), codebook_size=2048)
    with pytest.raises(PacketError) as refused:
        decode_packet(payload, PacketLimits(num_layers=layers, codebook_size=2048))
    assert refused.value.reason is Fault.LENGTH


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"epoch": 128}, Fault.RANGE),
        ({"epoch": -1}, Fault.RANGE),
        ({"epoch": True}, Fault.TYPE),
        ({"first_frame": 2**32}, Fault.RANGE),
        ({"first_frame": np.int64(3)}, Fault.TYPE),
        ({"captured_at_ms": 1.5}, Fault.TYPE),
        ({"captured_at_ms": 2**53}, Fault.RANGE),
        ({"codes": np.zeros((16, 1), np.int64)}, Fault.TYPE),
        ({"codes": np.zeros(16, np.uint16)}, Fault.TYPE),
        ({"codes": np.zeros((0, 1), np.uint16)}, Fault.RANGE),
        ({"codes": np.zeros((16, 0), np.uint16)}, Fault.RANGE),
        ({"codes": np.zeros((16, 26), np.uint16)}, Fault.RANGE),
        ({"codes": np.zeros((33, 1), np.uint16)}, Fault.RANGE),
    ],
)
def test_a_packet_that_cannot_be_sent_cannot_be_made(change: dict[str, object], reason: Fault) -> None:
    fields: dict[str, object] = {"epoch": 1, "first_frame": 2, "codes": np.zeros((16, 1), np.uint16), **change}
    with pytest.raises(PacketError) as refused:
        TokenPacket(**fields)  # type: ignore[arg-type]
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    "nonsense",
    [
        {"num_layers": 0, "codebook_size": 2048},
        {"num_layers": 33, "codebook_size": 2048},
        {"num_layers": 16, "codebook_size": 1},
        {"num_layers": 16, "codebook_size": 65_537},
        {"num_layers": 16, "codebook_size": 2048, "max_frames": 0},
        {"num_layers": 16, "codebook_size": 2048, "max_frames": 26},
    ],
)
def test_limits_that_make_no_sense_are_our_own_bug(nonsense: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        PacketLimits(**nonsense)  # type: ignore[arg-type]  # its coder is no number


def decodes_or_is_refused(payload: bytes, limits: PacketLimits) -> None:
    """PacketError or a packet that is valid in every respect; any other exception fails the test."""
    try:
        packet = decode_packet(payload, limits)
    except PacketError:
        return
    assert packet.codes.shape[0] == limits.num_layers
    assert 1 <= packet.codes.shape[1] <= limits.max_frames
    assert int(packet.codes.max()) < limits.codebook_size
    assert decode_packet(encode_packet(packet, codebook_size=limits.codebook_size), limits) == packet


@pytest.mark.parametrize("limits", [LIMITS, PacketLimits(num_layers=3, codebook_size=1500)])
def test_every_truncation_is_refused(limits: PacketLimits) -> None:
    codes = random_codes(limits.num_layers, 5, limits.codebook_size)
    packet = TokenPacket(epoch=5, first_frame=70_000, codes=codes, captured_at_ms=1_735_689_600_000)
    payload = encode_packet(packet, codebook_size=limits.codebook_size)
    for length in range(len(payload)):
        with pytest.raises(PacketError):
            decode_packet(payload[:length], limits)


@pytest.mark.parametrize("limits", [LIMITS, PacketLimits(num_layers=3, codebook_size=1500)])
def test_every_bit_flip_gives_a_valid_packet_or_an_error(limits: PacketLimits) -> None:
    codes = random_codes(limits.num_layers, 5, limits.codebook_size)
    packet = TokenPacket(epoch=5, first_frame=70_000, codes=codes, captured_at_ms=1_735_689_600_000)
    payload = encode_packet(packet, codebook_size=limits.codebook_size)
    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        decodes_or_is_refused(bytes(flipped), limits)


def test_every_value_of_every_header_byte_gives_a_valid_packet_or_an_error() -> None:
    payload = encode_packet(a_packet(1), codebook_size=2048)
    for position in range(8):
        for value in range(256):
            decodes_or_is_refused(payload[:position] + bytes([value]) + payload[position + 1 :], LIMITS)


@settings(deadline=None, max_examples=300)
@given(made=packets(), data=st.data())
def test_any_mutation_gives_a_valid_packet_or_an_error(
    made: tuple[TokenPacket, PacketLimits], data: st.DataObject
) -> None:
    packet, limits = made
    payload = bytearray(encode_packet(packet, codebook_size=limits.codebook_size))
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(payload)))
        payload[start : start + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=6))
    decodes_or_is_refused(bytes(payload), limits)


@settings(deadline=None, max_examples=300)
@given(payload=st.binary(max_size=200))
def test_any_bytes_give_a_valid_packet_or_an_error(payload: bytes) -> None:
    decodes_or_is_refused(payload, LIMITS)


plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=30)
)
nested = st.recursive(plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain, inner, max_size=3))


@settings(deadline=None, max_examples=300)
@given(value=st.lists(nested, max_size=18) | nested)
def test_any_msgpack_value_gives_a_valid_packet_or_an_error(value: object) -> None:
    decodes_or_is_refused(msgpack.packb(value), PacketLimits(num_layers=1, codebook_size=2048))
