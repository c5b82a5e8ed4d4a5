from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from gateway.demo.report import DemoFigures, DemoReport, pcm_saving_percent, wire_kbps

ISSUE_KEYS = [
    "frames_encoded",
    "frames_published",
    "frames_due",
    "frames_played",
    "frames_concealed",
    "frames_skipped",
    "wire_down_kbps",
    "wire_up_kbps",
    "saving_percent",
    "latency_ms_p50",
    "latency_ms_p95",
    "encode_rtf",
    "decode_rtf",
    "stoi",
    "broker",
    "codec",
]


@pytest.fixture
def report() -> DemoReport:
    figures = DemoFigures(
        frames_encoded=290,
        frames_published=290,
        frames_due=290,
        frames_played=290,
        frames_concealed=0,
        frames_skipped=0,
        wire_down_kbps=4.9,
        wire_up_kbps=1.1,
        saving_percent=98.44,
        latency_ms_p50=1650.0,
        latency_ms_p95=1670.0,
        encode_rtf=0.02,
        decode_rtf=0.03,
        stoi=0.851,
        broker="mosquitto 2.0.11",
        codec="nano-1",
    )
    return DemoReport(figures=figures, result=Path("result.wav"), picture=Path("p.png"), link="wan", audio_s=23.1)


def test_the_json_is_flat_with_exactly_the_keys_promised(report: DemoReport) -> None:
    values = json.loads(report.to_json())
    assert list(values) == ISSUE_KEYS
    assert all(not isinstance(value, dict | list) for value in values.values())


def test_the_table_names_what_a_stranger_wants_to_know(report: DemoReport) -> None:
    text = report.to_text()
    for part in ("6.00 kbit/s", "98.44 %", "290 due, 290 played, 0 concealed", "1670 ms p95", "0.851", "result.wav"):
        assert part in text


def test_missing_extras_are_named_in_the_table(report: DemoReport) -> None:
    bare = dataclasses.replace(report, picture=None, figures=dataclasses.replace(report.figures, stoi=None))
    assert bare.to_text().count("pip install 'voxwire[demo]'") == 2
    assert json.loads(bare.to_json())["stoi"] is None


def test_wire_rates_include_52_bytes_a_segment() -> None:
    stats: dict[str, int | float | str] = {
        "wire_seconds": 20.0,
        "wire_bytes_in": 8000,
        "wire_segments_in": 100,
        "wire_bytes_out": 200,
        "wire_segments_out": 50,
    }
    assert wire_kbps(stats, "in") == pytest.approx((8000 + 5200) * 8 / 20 / 1000)
    assert wire_kbps(stats, "out") == pytest.approx((200 + 2600) * 8 / 20 / 1000)


def test_nothing_measured_is_no_rate() -> None:
    assert wire_kbps({"wire_seconds": 0.0}, "in") == 0.0


def test_pcm_is_sent_in_the_same_packets() -> None:
    # 6.3 kbit/s in all of which 2.2 are codes: the PCM twin has 4.1 of envelope and headers and 384 of samples.
    assert pcm_saving_percent(6.3, token_kbps=2.2) == pytest.approx(100 * (1 - 6.3 / 388.1))
