"""The bytes in data/ were put together by hand from SPEC.md: they must read as they say for good."""

from __future__ import annotations

import dataclasses
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocol.entropy import CodesCoder, decode_tables, encode_tables
from protocol.errors import PacketError
from protocol.event import (
    ClockReport,
    PriorityChanged,
    SourceResumed,
    SourceStalled,
    StreamGap,
    StreamPaused,
    StreamStarted,
    StreamStopped,
    decode_event,
    encode_event,
)
from protocol.manifest import CodecIdentity, StreamManifest, Tier, decode_manifest, encode_manifest
from protocol.packet import PacketLimits, TokenPacket, decode_packet, encode_packet
from protocol.status import StatusMessage, decode_status, encode_status

DATA = Path(__file__).parent / "data"
INDEX: dict[str, dict[str, Any]] = json.loads((DATA / "index.json").read_text())
ONE_LAYER = PacketLimits(num_layers=1, codebook_size=2048)
EVENTS = {
    1: StreamStarted,
    2: StreamStopped,
    3: StreamGap,
    4: PriorityChanged,
    6: SourceStalled,
    7: SourceResumed,
    8: StreamPaused,
}
WITH_MORE_THAN_WE_WRITE = {"packet_extra_fields.bin"}


def test_the_script_still_makes_these_files() -> None:
    made = runpy.run_path(str(DATA / "make_golden.py"))["files"]()
    there = {path.name: path.read_bytes() for path in DATA.iterdir() if path.suffix in {".bin", ".json"}}
    assert there == made


@pytest.mark.parametrize("name", INDEX["packets"])
def test_golden_packet_reads_as_it_says(name: str) -> None:
    says = INDEX["packets"][name]
    expected = TokenPacket(
        epoch=says["epoch"],
        first_frame=says["first_frame"],
        codes=np.array(says["codes"], np.uint16),
        captured_at_ms=says["captured_at_ms"],
        pause_after=says.get("pause_after", 0),
    )
    payload = (DATA / name).read_bytes()
    limits = PacketLimits(num_layers=expected.num_layers, codebook_size=says["codebook_size"])
    assert decode_packet(payload, limits) == expected
    if name not in WITH_MORE_THAN_WE_WRITE:
        assert encode_packet(expected, codebook_size=says["codebook_size"]) == payload


@pytest.mark.parametrize("name", INDEX["bad_packets"])
def test_golden_bad_packet_is_refused_for_its_reason(name: str) -> None:
    with pytest.raises(PacketError) as refused:
        decode_packet((DATA / name).read_bytes(), ONE_LAYER)
    assert refused.value.reason == INDEX["bad_packets"][name]


@pytest.mark.parametrize("name", INDEX["coded_packets"])
def test_golden_coded_packet_reads_by_the_golden_tables(name: str) -> None:
    says = INDEX["coded_packets"][name]
    codes = np.array(says["codes"], np.uint16)
    expected = TokenPacket(epoch=says["epoch"], first_frame=says["first_frame"], codes=codes)
    coder = CodesCoder(decode_tables((DATA / "entropy_tables.bin").read_bytes()), num_layers=4)
    payload = (DATA / name).read_bytes()
    assert decode_packet(payload, PacketLimits(num_layers=4, codebook_size=16, coder=coder)) == expected
    assert encode_packet(expected, codebook_size=16, coder=coder) == payload


def test_golden_tables_have_the_name_that_a_manifest_would_call_them_by() -> None:
    data = (DATA / "entropy_tables.bin").read_bytes()
    tables = decode_tables(data)
    assert encode_tables(tables) == data
    assert tables.fingerprint == "c3498c8ecf05a1ab"


@pytest.mark.parametrize("name", INDEX["events"])
def test_golden_event_reads_as_it_says(name: str) -> None:
    says = dict(INDEX["events"][name])
    kind = says.pop("kind")
    payload = (DATA / name).read_bytes()
    if kind == 5:
        tenths = says.pop("rate_tenths_ppm")
        expected: Any = ClockReport(**says, rate_ppm=tenths / 10)
    else:
        expected = EVENTS[kind](**says)
    assert decode_event(payload) == expected
    assert encode_event(expected) == payload


def test_golden_manifest_reads_as_it_says() -> None:
    payload = (DATA / "manifest.json").read_bytes()
    expected = StreamManifest(
        stream="lobby",
        codec=CodecIdentity("nano-1", 16_000, 1280, 16, 2048, 1440, "0123456789abcdef" * 4),
        tiers=(Tier(0, 4), Tier(4, 12)),
        frames_per_packet=5,
        epoch=0xFEDCBA9876543210,
        started_at_ms=1_735_689_600_000,
        gateway_id="gw-hall",
        qos=1,
        playout_delay_ms=1200,
        first_frame=2**32,
        key_id="k1",
        title="Gare du Nord — quai nº 3",
        language="fr",
    )
    assert decode_manifest(payload) == expected
    assert encode_manifest(expected) == payload
    coded = (DATA / "manifest_entropy.json").read_bytes()
    assert decode_manifest(coded) == dataclasses.replace(expected, entropy="0f1e2d3c4b5a6978")
    assert encode_manifest(decode_manifest(coded)) == coded
    silent = (DATA / "manifest_silence.json").read_bytes()
    assert decode_manifest(silent) == dataclasses.replace(expected, silence=True)
    assert encode_manifest(dataclasses.replace(expected, silence=True)) == silent


def test_golden_manifest_with_least_and_later_fields_reads() -> None:
    manifest = decode_manifest((DATA / "manifest_minimal.json").read_bytes())
    assert manifest.first_frame == 0
    assert manifest.key_id is manifest.title is manifest.language is manifest.entropy is None
    assert manifest.tiers == (Tier(0, 1),)


def test_golden_status_reads_as_it_says() -> None:
    payload = (DATA / "status.json").read_bytes()
    expected = StatusMessage(
        role="edge",
        id="kitchen-2",
        state="refused",
        session=0x187A3F0C11223344,
        reason="the stream needs codec nano-2, this player has nano-1",
        epoch=0xFEDCBA9876543210,
        stats={"frames_due": 12, "decode_rtf": 0.031, "provider": "cpu"},
    )
    assert decode_status(payload) == expected
    assert encode_status(expected) == payload
