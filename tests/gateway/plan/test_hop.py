from __future__ import annotations

import numpy as np
import pytest

from edge_player.config import RunConfig
from edge_player.metrics import METRICS_NAMES
from gateway.announcer import STATUS_NAMES
from gateway.plan.hop import (
    CLOCK_REPORT_BYTES,
    DAY_FRAME,
    DEVICE_ID,
    HEARTBEAT_BYTES,
    MANIFEST_BYTES,
    METRICS_BYTES,
    METRICS_REFRESH_S,
    STATUS_BYTES,
    Shape,
    gateway_rate,
    player_rate,
    token_payload_bytes,
)
from gateway.plan.wire_model import Wire
from protocol.event import ClockReport, StreamPaused, encode_event
from protocol.manifest import CodecIdentity, StreamManifest, Tier, encode_manifest
from protocol.packet import TokenPacket, encode_packet
from protocol.service import device_id
from protocol.status import StatusMessage, encode_status

EPOCH = 0x7FEE_DDCC_BBAA_9977
AT_MS = 1_790_000_000_000


@pytest.mark.parametrize("layers", [1, 4, 8, 16])
@pytest.mark.parametrize("frames", [1, 2, 5, 10, 11, 12, 25])
@pytest.mark.parametrize("first_frame", [0, 200, 40_000, DAY_FRAME])
def test_a_packet_is_as_long_as_the_encoder_makes_it(layers: int, frames: int, first_frame: int) -> None:
    codes = np.zeros((layers, frames), np.uint16)
    payload = encode_packet(TokenPacket(epoch=1, first_frame=first_frame, codes=codes), codebook_size=2048)
    assert token_payload_bytes(layers, frames, first_frame=first_frame) == len(payload)


def test_what_is_said_beside_the_tokens_is_as_long_as_the_encoders_make_it() -> None:
    report = ClockReport(epoch=EPOCH, frame=DAY_FRAME, at_ms=AT_MS, rate_ppm=25.0)
    assert len(encode_event(report)) == CLOCK_REPORT_BYTES
    codec = CodecIdentity("nano", 16000, 1280, 16, 2048, 480, "a" * 64)
    manifest = StreamManifest(
        stream="lobby", codec=codec, tiers=(Tier(0, 16),), frames_per_packet=10, epoch=EPOCH, started_at_ms=AT_MS,
        first_frame=0, gateway_id=DEVICE_ID, qos=1, playout_delay_ms=3000,
    )  # fmt: skip
    assert len(encode_manifest(manifest)) == pytest.approx(MANIFEST_BYTES, abs=8)
    assert len(device_id("gw")) == len(DEVICE_ID)
    counters = {name: 0.03514 if name.endswith("rtf") else 12345 for name in STATUS_NAMES}
    status = StatusMessage("gateway", DEVICE_ID, "online", EPOCH, epoch=EPOCH, stats=counters)
    assert len(encode_status(status)) == pytest.approx(STATUS_BYTES, abs=20)
    figures = {
        name: 1234.12 if "ms" in name else DAY_FRAME if name.startswith("frames") else 3 for name in METRICS_NAMES
    }
    assert len(encode_event(StreamPaused(EPOCH & 0x7F))) == HEARTBEAT_BYTES
    metrics = StatusMessage("edge", DEVICE_ID, "online", EPOCH, stats=figures)
    assert len(encode_status(metrics)) == pytest.approx(METRICS_BYTES, abs=30)
    assert RunConfig().metrics_s == METRICS_REFRESH_S


# Both ways, pings and clock reports included: kernel counters over 60 s, docs/benchmarks.md.
MEASURED_KBPS = {
    (1, 0): 15.82, (2, 0): 9.074, (5, 0): 5.086, (10, 0): 3.726, (25, 0): 2.914,
    (1, 1): 21.69, (2, 1): 12.04, (5, 1): 6.274, (10, 1): 4.334, (25, 1): 3.146,
}  # fmt: skip


@pytest.mark.parametrize(("frames", "qos"), MEASURED_KBPS)
def test_the_prediction_is_what_the_kernel_counted_in_a_minute(frames: int, qos: int) -> None:
    rate = player_rate(Wire(), Shape(frames=frames, qos=qos, stream="case5"))
    predicted = 8e-3 * (rate.tokens + rate.clock + rate.pings).both
    assert predicted == pytest.approx(MEASURED_KBPS[frames, qos], rel=0.01)


@pytest.mark.parametrize(("keepalive_s", "kbps"), [(30, 0.1384), (60, 0.1112)])
def test_a_pause_costs_about_what_was_measured(keepalive_s: int, kbps: float) -> None:
    """docs/benchmarks.md, Pauses: over TLS, without a player's metrics."""
    shape = Shape(frames=25, qos=1, keepalive_s=keepalive_s)
    with_metrics = player_rate(Wire(tls=True), shape)
    metrics = with_metrics.status + gateway_rate(Wire(tls=True), shape).status * -1
    assert 8e-3 * (with_metrics.paused + metrics * -1).both == pytest.approx(kbps, rel=0.1)


def test_long_round_trips_let_reports_share_the_acknowledgement() -> None:
    shape = Shape(frames=5, qos=0)
    near, far = (player_rate(Wire(), shape, rtt_s=rtt_s).clock.both for rtt_s in (0.0, 0.6))
    assert near - far == pytest.approx(5.2)


@pytest.mark.parametrize("values", [{"layers": 0}, {"layers": 17}, {"frames": 26}, {"qos": 2}])
def test_a_stream_that_cannot_be_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Shape(**values)  # type: ignore[arg-type]
