from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import Fault, ManifestError
from protocol.manifest import CodecIdentity, StreamManifest, Tier, decode_manifest, encode_manifest
from protocol.packet import PacketLimits

CODEC = CodecIdentity("nano-1", 16_000, 1280, 16, 2048, 1440, "0" * 64)
MANIFEST = StreamManifest(
    stream="lobby",
    codec=CODEC,
    tiers=(Tier(0, 16),),
    frames_per_packet=5,
    epoch=2**64 - 1,
    started_at_ms=1_735_689_600_000,
    gateway_id="gw-1",
    qos=1,
    playout_delay_ms=1200,
)


def with_change(**change: object) -> bytes:
    """The JSON of MANIFEST with keys replaced; `codec__x` changes the codec; None stays None."""
    fields: dict[str, Any] = json.loads(encode_manifest(MANIFEST))
    for name, value in change.items():
        inside, _, key = name.rpartition("__")
        (fields[inside] if inside else fields)[key] = value
    return json.dumps(fields).encode()


ids = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=32)


@st.composite
def manifests(draw: st.DrawFn) -> StreamManifest:
    sizes = draw(st.lists(st.integers(1, 8), min_size=1, max_size=4))
    rate = draw(st.integers(8000, 96_000))
    return StreamManifest(
        stream=draw(ids),
        codec=CodecIdentity(
            name=draw(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,15}", fullmatch=True)),
            sample_rate=rate,
            frame_size=draw(st.integers(1, rate)),
            num_layers=draw(st.integers(sum(sizes), 32)),
            codebook_size=draw(st.integers(2, 65_536)),
            delay_samples=draw(st.integers(0, rate)),
            weights_sha256=draw(st.text("0123456789abcdef", min_size=64, max_size=64)),
        ),
        tiers=tuple(Tier(sum(sizes[:tier]), size) for tier, size in enumerate(sizes)),
        frames_per_packet=draw(st.integers(1, 25)),
        epoch=draw(st.integers(0, 2**64 - 1)),
        started_at_ms=draw(st.integers(0, 2**53 - 1)),
        gateway_id=draw(ids),
        qos=draw(st.integers(0, 1)),
        playout_delay_ms=draw(st.integers(0, 60_000)),
        first_frame=draw(st.integers(0, 2**53 - 1)),
        key_id=draw(st.none() | st.just("key-1")),
        title=draw(st.none() | st.just("Größe — 大小")),
        language=draw(st.none() | st.sampled_from(["en", "pt-BR", "zh-Hant-TW"])),
        silence=draw(st.booleans()),
    )


@settings(deadline=None)
@given(manifest=manifests())
def test_manifests_round_trip_within_600_bytes(manifest: StreamManifest) -> None:
    payload = encode_manifest(manifest)
    assert len(payload) <= 600
    assert decode_manifest(payload) == manifest


def test_the_largest_manifest_without_a_title_fits() -> None:
    largest = StreamManifest(
        stream="s" * 32,
        codec=CodecIdentity("c" * 32, 96_000, 96_000, 32, 65_536, 960_000, "f" * 64),
        tiers=tuple(Tier(8 * tier, 8) for tier in range(4)),
        frames_per_packet=25,
        epoch=2**64 - 1,
        started_at_ms=2**53 - 1,
        gateway_id="g" * 32,
        qos=1,
        playout_delay_ms=60_000,
        first_frame=2**53 - 1,
        key_id="k" * 32,
        silence=True,
    )
    assert decode_manifest(encode_manifest(largest)) == largest


def test_a_manifest_that_is_too_long_says_what_to_shorten() -> None:
    with pytest.raises(ManifestError, match=r"at most 600 bytes.*shorten the title") as refused:
        encode_manifest(replace(MANIFEST, title="長" * 64, language="en", key_id="k" * 32, stream="s" * 32))
    assert refused.value.reason is Fault.SIZE


def test_an_epoch_keeps_all_64_bits_where_numbers_are_doubles() -> None:
    assert json.loads(encode_manifest(MANIFEST))["epoch"] == "ffffffffffffffff"


def test_packet_limits_are_those_of_the_tier() -> None:
    manifest = replace(MANIFEST, tiers=(Tier(0, 4), Tier(4, 10)))
    assert manifest.packet_limits(0) == PacketLimits(num_layers=4, codebook_size=2048, max_frames=25)
    assert manifest.packet_limits(1) == PacketLimits(num_layers=10, codebook_size=2048, max_frames=25)
    assert manifest.num_layers == 14
    for tier in (-1, 2):
        with pytest.raises(ManifestError, match="tier: expected 0 to 1"):
            manifest.packet_limits(tier)


def test_epoch_low7_is_what_packets_carry() -> None:
    assert replace(MANIFEST, epoch=0x1_85).epoch_low7 == 5


def test_capture_time_of_a_frame_counts_from_frame_zero() -> None:
    assert MANIFEST.frame_duration_ms == 80.0
    assert MANIFEST.captured_at_ms(0) == 1_735_689_600_000
    assert MANIFEST.captured_at_ms(2**32) == 1_735_689_600_000 + 80 * 2**32


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"v": 2}, Fault.VERSION),
        ({"v": True}, Fault.TYPE),
        ({"v": "1"}, Fault.TYPE),
        ({"stream": "Lobby"}, Fault.RANGE),
        ({"stream": "a/b"}, Fault.RANGE),
        ({"stream": "#"}, Fault.RANGE),
        ({"stream": ""}, Fault.RANGE),
        ({"stream": 5}, Fault.TYPE),
        ({"codec": []}, Fault.STRUCTURE),
        ({"codec": None}, Fault.STRUCTURE),
        ({"codec__name": "../../x"}, Fault.RANGE),
        ({"codec__name": "nano-1\n"}, Fault.RANGE),
        ({"codec__sample_rate": 16000.0}, Fault.TYPE),
        ({"codec__sample_rate": 7999}, Fault.RANGE),
        ({"codec__frame_size": 0}, Fault.RANGE),
        ({"codec__frame_size": 16001}, Fault.RANGE),
        ({"codec__frame_size": 10**300}, Fault.RANGE),
        ({"codec__num_layers": True}, Fault.TYPE),
        ({"codec__num_layers": 33}, Fault.RANGE),
        ({"codec__codebook_size": 1}, Fault.RANGE),
        ({"codec__codebook_size": 65_537}, Fault.RANGE),
        ({"codec__delay_samples": -1}, Fault.RANGE),
        ({"codec__delay_samples": 160_001}, Fault.RANGE),
        ({"codec__weights_sha256": "0" * 63}, Fault.RANGE),
        ({"codec__weights_sha256": "A" * 64}, Fault.RANGE),
        ({"tiers": []}, Fault.STRUCTURE),
        ({"tiers": {}}, Fault.STRUCTURE),
        ({"tiers": [[0]]}, Fault.STRUCTURE),
        ({"tiers": [5]}, Fault.STRUCTURE),
        ({"tiers": [[0, 1]] * 5}, Fault.STRUCTURE),
        ({"tiers": [[1, 15]]}, Fault.RANGE),
        ({"tiers": [[0, 4], [5, 4]]}, Fault.RANGE),
        ({"tiers": [[0, 4], [4, 13]]}, Fault.RANGE),
        ({"tiers": [[0, 0]]}, Fault.RANGE),
        ({"tiers": [[False, 16]]}, Fault.TYPE),
        ({"tiers": [["0", 16]]}, Fault.TYPE),
        ({"frames_per_packet": 26}, Fault.RANGE),
        ({"epoch": 5}, Fault.TYPE),
        ({"epoch": "0x00000000000005"}, Fault.RANGE),
        ({"epoch": "FFFFFFFFFFFFFFFF"}, Fault.RANGE),
        ({"started_at_ms": -1}, Fault.RANGE),
        ({"started_at_ms": 2**53}, Fault.RANGE),
        ({"started_at_ms": None}, Fault.TYPE),
        ({"first_frame": -1}, Fault.RANGE),
        ({"gateway_id": "+"}, Fault.RANGE),
        ({"qos": 2}, Fault.RANGE),
        ({"qos": False}, Fault.TYPE),
        ({"playout_delay_ms": 60_001}, Fault.RANGE),
        ({"key_id": "k k"}, Fault.RANGE),
        ({"title": "a\x1b[31m"}, Fault.RANGE),
        ({"title": "\ud800"}, Fault.RANGE),
        ({"title": "\u202egnp"}, Fault.RANGE),
        ({"title": ""}, Fault.RANGE),
        ({"title": "t" * 65}, Fault.RANGE),
        ({"title": 1}, Fault.TYPE),
        ({"language": "e"}, Fault.RANGE),
        ({"language": "en_GB"}, Fault.RANGE),
        ({"silence": "on"}, Fault.TYPE),
        ({"silence": 1}, Fault.TYPE),
    ],
)
def test_a_field_out_of_its_range_is_refused(change: dict[str, object], reason: Fault) -> None:
    with pytest.raises(ManifestError) as refused:
        decode_manifest(with_change(**change))
    assert refused.value.reason is reason
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("name", ["v", "stream", "codec", "tiers", "epoch", "qos", "gateway_id", "started_at_ms"])
def test_a_missing_field_is_refused(name: str) -> None:
    fields = json.loads(encode_manifest(MANIFEST))
    del fields[name]
    with pytest.raises(ManifestError, match=name) as refused:
        decode_manifest(json.dumps(fields).encode())
    assert refused.value.reason is Fault.STRUCTURE


def test_an_empty_payload_is_told_apart_by_its_reason() -> None:
    with pytest.raises(ManifestError) as refused:
        decode_manifest(b"")
    assert refused.value.reason is Fault.SIZE


def test_keys_of_a_later_version_are_ignored() -> None:
    assert decode_manifest(with_change(later={"nested": [1, 2]}, codec__later=None)) == MANIFEST


def test_readers_accept_more_bytes_than_writers_write() -> None:
    assert decode_manifest(with_change(later="x" * 500)) == MANIFEST


def test_a_wrong_type_cannot_be_made() -> None:
    with pytest.raises(ManifestError, match="qos: expected an integer, got a truth value"):
        replace(MANIFEST, qos=True)
    with pytest.raises(ManifestError, match="number of tiers"):
        replace(MANIFEST, tiers=())


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_any_mutation_gives_a_manifest_or_an_error(data: st.DataObject) -> None:
    payload = bytearray(encode_manifest(MANIFEST))
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(payload)))
        payload[start : start + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        manifest = decode_manifest(bytes(payload))
    except ManifestError:
        return
    assert decode_manifest(encode_manifest(manifest)) == manifest


def test_every_truncation_is_refused() -> None:
    payload = encode_manifest(MANIFEST)
    for length in range(len(payload)):
        with pytest.raises(ManifestError):
            decode_manifest(payload[:length])


def test_a_stream_is_not_silent_in_pauses_unless_it_says_so() -> None:
    assert not decode_manifest(encode_manifest(MANIFEST)).silence
    assert not decode_manifest(with_change(silence=None)).silence
    assert decode_manifest(with_change(silence=True)).silence


def test_a_stream_that_is_silent_in_pauses_is_announced_less_often() -> None:
    quiet = replace(MANIFEST, silence=True)
    assert (MANIFEST.refresh_s, MANIFEST.expiry_s) == (300, 600)
    assert (quiet.refresh_s, quiet.expiry_s) == (900, 1800)
