"""SPEC.md is what a stranger writes a receiver from: its figures and examples are the package's."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import protocol
from protocol import limits
from protocol.entropy import CodesCoder, decode_tables
from protocol.event import ClockReport, decode_event
from protocol.link import LINK_PROFILES
from protocol.packet import PacketLimits, decode_packet, encode_packet

SPEC = Path(protocol.__file__).with_name("SPEC.md").read_text(encoding="utf-8")
EXAMPLES = [bytes.fromhex(block) for block in re.findall(r"```hex\n(.*?)```", SPEC, re.DOTALL)]
NAMED = {name: value for name, value in vars(limits).items() if name.isupper()}


def test_spec_states_every_limit() -> None:
    stated = {name: int(value) for name, value in re.findall(r"^\| `([A-Z_0-9]+)` \| (\d+) \|$", SPEC, re.MULTILINE)}
    assert stated == NAMED


@pytest.mark.parametrize("name", LINK_PROFILES)
def test_spec_states_every_link_profile(name: str) -> None:
    profile = LINK_PROFILES[name]
    row = (
        f"| `{name}` | {profile.frames_per_packet} | {profile.qos} | {profile.window} | {profile.keepalive_s} "
        f"| {profile.playout_delay_ms} | {profile.max_age_ms} |"
    )
    assert row in SPEC


def test_the_packet_in_the_spec_reads_as_it_says() -> None:
    packet = decode_packet(EXAMPLES[0], PacketLimits(num_layers=16, codebook_size=2048))
    assert (packet.epoch, packet.first_frame, packet.captured_at_ms) == (5, 1000, None)
    np.testing.assert_array_equal(packet.codes[:, 0], np.arange(16))


def test_the_clock_report_in_the_spec_reads_as_it_says() -> None:
    assert decode_event(EXAMPLES[1]) == ClockReport(epoch=1, frame=125, at_ms=1_735_689_610_000, rate_ppm=12.5)


def test_the_coded_packet_in_the_spec_reads_by_the_tables_in_it() -> None:
    tables = decode_tables(EXAMPLES[2])
    limits = PacketLimits(num_layers=1, codebook_size=4, coder=CodesCoder(tables, num_layers=1))
    packet = decode_packet(EXAMPLES[3], limits)
    said = "0 1 1 0 0 1 2 3 2 3 3 2 3 2 0 1 1 1 0 0 1 0 1 1 0"
    assert f"codes {said}" in SPEC
    assert packet.codes.tolist() == [[int(code) for code in said.split()]]
    assert encode_packet(packet, codebook_size=4, coder=limits.coder) == EXAMPLES[3]


def test_every_public_name_is_there_once() -> None:
    assert len(protocol.__all__) == len(set(protocol.__all__))
    for name in protocol.__all__:
        assert hasattr(protocol, name)
