"""How loud something is, in words: what `gateway check` says of a microphone."""

from __future__ import annotations

from typing import Final

from gateway.conditioning import SILENCE_DBFS, Level
from protocol.service import Finding

__all__ = ["level_finding"]

ALMOST_SILENT_DBFS: Final = -60.0
"""The noise of any microphone in any room is louder than this at its peaks."""


def level_finding(level: Level, sample_rate: int, *, live: bool, what: str) -> Finding:
    """A verdict on how loud `what` was. live: a microphone, which may be muted; a file may well begin in silence."""
    figures = {
        "seconds": round(level.samples / sample_rate, 2),
        "peak_dbfs": round(level.peak_dbfs, 1),
        "level_dbfs": round(level.rms_dbfs, 1),
    }
    said = f"{what}, {level.samples / sample_rate:.1f} s heard"
    if level.clipped:
        return Finding(
            f"{said}: input too loud, clipping detected",
            "warning",
            "turn its gain down (alsamixer, pavucontrol): what is cut off cannot be mended later",
            figures=figures,
        )
    if level.peak_dbfs <= SILENCE_DBFS:
        if not live:
            return Finding(f"{said}: silence so far", figures=figures)
        return Finding(
            f"{said}: silent: muted?",
            "warning",
            "unmute it (alsamixer, pavucontrol, a switch on it), or name another with --input-device: gateway devices",
            figures=figures,
        )
    if live and level.peak_dbfs < ALMOST_SILENT_DBFS:
        return Finding(
            f"{said}: nearly silent, peaks at {level.peak_dbfs:.0f} dBFS: muted, or its gain at zero?",
            "warning",
            "speak while it listens; turn its gain up (alsamixer, pavucontrol), or try --auto-gain",
            figures=figures,
        )
    return Finding(f"{said}: peaks at {level.peak_dbfs:.0f} dBFS, level {level.rms_dbfs:.0f} dBFS", figures=figures)
