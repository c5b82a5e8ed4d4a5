"""What the encoder worker counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.service import Percentiles

__all__ = ["EncoderMetrics"]


@dataclass(slots=True)
class EncoderMetrics:
    """Monotonic counters of one run; written by the encoder worker alone, read by anybody.

    frames_encoded: frames that went through the encoder. frames_gapped: frame indices passed over, because the
    source lost audio or fell behind; they were never encoded. gaps: runs of those.
    nonfinite_samples: NaN, infinite or absurdly loud samples that the encoder replaced.
    encode_s: time inside the encoder. encode_ms: of one frame.
    """

    frame_duration_s: float
    frames_encoded: int = 0
    frames_gapped: int = 0
    gaps: int = 0
    nonfinite_samples: int = 0
    encode_s: float = 0.0
    encode_ms: Percentiles = field(default_factory=Percentiles)

    def encoded(self, seconds: float) -> None:
        """Count one frame that took so many seconds."""
        self.frames_encoded += 1
        self.encode_s += seconds
        self.encode_ms.add(seconds * 1000.0)

    @property
    def encode_rtf(self) -> float:
        """Seconds of work per second of audio; 0 before the first frame."""
        return self.encode_s / (self.frames_encoded * self.frame_duration_s) if self.frames_encoded else 0.0
