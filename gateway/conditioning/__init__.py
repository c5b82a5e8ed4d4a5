"""What is done to the sound of any source before it is encoded, and how loud it is."""

from __future__ import annotations

from gateway.conditioning.auto_gain import AutoGain
from gateway.conditioning.chain import Conditioning
from gateway.conditioning.clipping import ClippingDetector, ClippingWatch
from gateway.conditioning.high_pass import HighPass
from gateway.conditioning.level import SILENCE_DBFS, Level, LevelTracker, to_dbfs
from gateway.conditioning.limiter import Limiter

__all__ = [
    "SILENCE_DBFS",
    "AutoGain",
    "ClippingDetector",
    "ClippingWatch",
    "Conditioning",
    "HighPass",
    "Level",
    "LevelTracker",
    "Limiter",
    "to_dbfs",
]
