from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.wire.cases import IDLE, OURS, Case, Variant
from benchmarks.wire.flow import tier_packers
from benchmarks.wire.measure import measure_batch, start_brokers
from benchmarks.wire.rows import case_row
from benchmarks.wire.speech import Speech
from gateway.demo.broker import find_mosquitto
from protocol.entropy import CodesCoder
from protocol.packet import PacketLimits, decode_packet

CASES = [
    Case(OURS, 1, 0, layers=16),
    Case(OURS, 5, 1, tls=True, layers=4),
    Case(OURS, 5, 1, mqtt="3.1.1", layers=16),
    Case("Codec2 700C", 5, 1),
    Case(IDLE, 0, 1),
]


def test_a_packet_of_ours_is_one_that_a_player_reads(speech: Speech) -> None:
    codes, tables = speech.codes[:, 100:125], speech.tables

    def payloads(variant: Variant) -> list[bytes]:
        return [packer.payload(codes, 7) for packer in tier_packers(4, variant, tables)]

    (payload,) = payloads(Variant())
    np.testing.assert_array_equal(decode_packet(payload, PacketLimits(4, 2048)).codes, codes[:4])
    base, rest = payloads(Variant(tiers=(1, 3)))
    np.testing.assert_array_equal(decode_packet(base, PacketLimits(1, 2048)).codes, codes[:1])
    np.testing.assert_array_equal(decode_packet(rest, PacketLimits(3, 2048)).codes, codes[1:4])
    (coded,) = payloads(Variant(entropy=True))
    limits = PacketLimits(4, 2048, coder=CodesCoder(tables, num_layers=4))
    np.testing.assert_array_equal(decode_packet(coded, limits).codes, codes[:4])
    assert len(coded) < len(payload)


def test_what_nothing_packs_yet_is_said(speech: Speech) -> None:
    with pytest.raises(NotImplementedError, match="nothing packs"):
        tier_packers(16, Variant(silence=True), speech.tables)


@pytest.mark.broker
@pytest.mark.slow
def test_a_batch_is_counted_and_the_model_agrees(speech: Speech, tmp_path: Path) -> None:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    with start_brokers(tmp_path) as brokers:
        measured, _ = measure_batch(CASES, speech, brokers, seconds=10.0, number_from=0)
    rows = {case: case_row(each) for case, each in zip(CASES, measured, strict=True)}
    for case, row in rows.items():
        if case.what == OURS:
            assert row["player_kbps"] == pytest.approx(row["predicted_kbps"], rel=0.05), row
    packets = {case: each.after.sent - each.before.sent for case, each in zip(CASES, measured, strict=True)}
    assert [packets[case] for case in CASES] == [pytest.approx(125, abs=1), 25, 25, 25, 0]
