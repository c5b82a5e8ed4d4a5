"""Quantities on a command line, with their units; argparse types."""

from __future__ import annotations

import argparse
import re
from typing import Final

_NUMBER: Final = r"(\d+(?:\.\d+)?)"
_BIT_RATE: Final = re.compile(_NUMBER + r" ?([kmg]?)(?:bps|bit/s|bits/s)", re.IGNORECASE)
_BYTE_COUNT: Final = re.compile(_NUMBER + r" ?(?:([kmg]?)b(?:ytes?)?)?", re.IGNORECASE)
_SHARE: Final = re.compile(_NUMBER + r" ?(%?)")
_FACTORS: Final = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


def parse_bit_rate(text: str) -> float:
    """Bits a second from `8kbps`, `8kbit/s`, `0.5mbps` or `1200bps`. A bare number could mean either and is refused."""
    match = _BIT_RATE.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"expected a rate such as 1200bps, 8kbps, 8kbit/s or 0.5mbps, got {text!r}")
    return float(match[1]) * _FACTORS[match[2].lower()]


def parse_byte_count(text: str) -> float:
    """Bytes from `500MB`, `2.5kB`, `1GB` or a bare number of them; thousands, as operators sell them."""
    match = _BYTE_COUNT.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"expected a number of bytes such as 500MB, 2.5kB or 64000, got {text!r}")
    return float(match[1]) * _FACTORS[(match[2] or "").lower()]


def parse_share(text: str) -> float:
    """A share from `2%` or `0.02`."""
    match = _SHARE.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"expected a share such as 2% or 0.02, got {text!r}")
    return float(match[1]) / (100 if match[2] else 1)
