"""When a frame was captured, by the sender's clock: for measuring latency, never for deciding what to play."""

from __future__ import annotations

from protocol.event import ClockReport

_PPM = 1e-6


class CaptureClock:
    """UTC of the first sample of each frame of one epoch, from the manifest and then from the clock reports."""

    def __init__(self, *, started_at_ms: float, frame_duration_s: float) -> None:
        """`started_at_ms`: UTC of the first sample of frame 0, ms."""
        self._frame = 0
        self._at_ms = float(started_at_ms)
        self._frame_ms = frame_duration_s * 1000.0
        self._nominal_ms = self._frame_ms

    def update(self, report: ClockReport) -> None:
        """Take over what the sender measured. A fast sample clock makes shorter frames."""
        self._frame = report.frame
        self._at_ms = float(report.at_ms)
        self._frame_ms = self._nominal_ms / (1.0 + report.rate_ppm * _PPM)

    def captured_at_ms(self, frame: int) -> float:
        """UTC in ms of the first sample of the frame with that extended index."""
        return self._at_ms + (frame - self._frame) * self._frame_ms
