"""The figures of a demo run: one flat object for machines, one table for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["SEGMENT_HEADER_BYTES", "DemoFigures", "DemoReport", "pcm_saving_percent", "wire_kbps"]

SEGMENT_HEADER_BYTES = 52  # IPv4 20, TCP 20, timestamps option 12: what Linux sends on every segment
_PCM_RATE_HZ = 24000
_PCM_BITS = 16


@dataclass(frozen=True, slots=True)
class DemoFigures:
    """What `gateway demo --json` prints: these keys and no others.

    frames_*: counts. wire_down_kbps, wire_up_kbps: kbit/s from broker to player and back in the steady state, with
    IPv4 and TCP headers. saving_percent: against 24 kHz 16-bit PCM sent the same way. latency_ms_*: from the capture
    of a sample to the moment its rebuilt twin leaves the sink. *_rtf: seconds of work per second of audio. stoi: 0 to
    1, of the result against the source, None where pystoi is missing.
    """

    frames_encoded: int
    frames_published: int
    frames_due: int
    frames_played: int
    frames_concealed: int
    frames_skipped: int
    wire_down_kbps: float
    wire_up_kbps: float
    saving_percent: float
    latency_ms_p50: float
    latency_ms_p95: float
    encode_rtf: float
    decode_rtf: float
    stoi: float | None
    broker: str
    codec: str


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The figures and where the results lie. picture: None where matplotlib is missing."""

    figures: DemoFigures
    result: Path
    picture: Path | None
    link: str
    audio_s: float

    def to_json(self) -> str:
        """One flat object on one line."""
        return json.dumps(asdict(self.figures))

    def to_text(self) -> str:
        """A table for a terminal."""
        figures = self.figures
        total_kbps = figures.wire_down_kbps + figures.wire_up_kbps
        stoi = "not scored: pip install 'voxwire[demo]'" if figures.stoi is None else f"{figures.stoi:.3f}"
        rows = [
            ("path", f"file → {figures.codec} → msgpack → {figures.broker} → ONNX decoder → WAV, link {self.link}"),
            ("audio", f"{self.audio_s:.1f} s"),
            ("frames", f"{figures.frames_encoded} encoded, {figures.frames_published} published"),
            (
                "",
                f"{figures.frames_due} due, {figures.frames_played} played, "
                f"{figures.frames_concealed} concealed, {figures.frames_skipped} skipped",
            ),
            (
                "wire, one player",
                f"{total_kbps:.2f} kbit/s: {figures.wire_down_kbps:.2f} down, {figures.wire_up_kbps:.2f} up, "
                "TCP/IP headers included",
            ),
            ("saving", f"{figures.saving_percent:.2f} % against 24 kHz 16-bit PCM sent the same way"),
            ("latency", f"{figures.latency_ms_p50:.0f} ms p50, {figures.latency_ms_p95:.0f} ms p95, capture to sink"),
            ("real-time factor", f"encode {figures.encode_rtf:.3f}, decode {figures.decode_rtf:.3f}"),
            ("STOI", stoi),
            ("listen", str(self.result)),
            ("look", str(self.picture) if self.picture else "no picture: pip install 'voxwire[demo]'"),
        ]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)


def wire_kbps(stats: Mapping[str, int | float | str], direction: str) -> float:
    """kbit/s of a statistics file of the player, `direction` in or out, headers included; 0 where nothing was timed."""
    seconds = float(stats.get("wire_seconds", 0.0))
    if seconds <= 0:
        return 0.0
    octets = float(stats[f"wire_bytes_{direction}"])
    segments = float(stats[f"wire_segments_{direction}"])
    return (octets + SEGMENT_HEADER_BYTES * segments) * 8 / seconds / 1000


def pcm_saving_percent(total_kbps: float, *, token_kbps: float) -> float:
    """How much less than PCM: the same packets, envelopes, acknowledgements and headers with samples for tokens.

    token_kbps: of the bare codes inside `total_kbps`.
    """
    pcm_kbps = total_kbps - token_kbps + _PCM_RATE_HZ * _PCM_BITS / 1000
    return 100.0 * (1.0 - total_kbps / pcm_kbps)
