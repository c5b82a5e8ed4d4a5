"""What a live half counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class LiveStatistics:
    """Counters that only rise."""

    joined: int = 0
    """Streams that were given a place."""
    left: int = 0
    """Streams that gave their place back, by themselves or after their last frame."""
    refused_streams: int = 0
    """Streams for which there was no place."""
    refused_pushes: int = 0
    """Pushes that found their stream's queue full; nothing of them was taken."""
    nonfinite_samples: int = 0
    """NaN, infinite or absurdly large samples, replaced."""
    steps: int = 0
    """Batched steps."""
    frames: int = 0
    """Frames of all streams in those steps."""
    slow_steps: int = 0
    """Steps that took longer than their frames last."""
    fallbacks: int = 0
    """Ways of running a step that were asked for, failed here, and gave way to a slower one."""
