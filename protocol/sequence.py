"""Frame indices that wrap: 32 bits on the wire, without bound at both ends.

A serial is an index modulo 2**32. Two serials less than 2**31 apart (5.4 years at 12.5 frames a second) compare as the
indices do; this is the serial arithmetic of RFC 1982 with the distance made explicit.
"""

from __future__ import annotations

SERIAL_MODULUS = 2**32
_HALF = 2**31


def to_serial(index: int) -> int:
    """The 32 bits of an extended (unbounded) index that go on the wire."""
    return index % SERIAL_MODULUS


def serial_add(serial: int, frames: int) -> int:
    """The serial `frames` later, or earlier where `frames` is negative."""
    return (serial + frames) % SERIAL_MODULUS


def serial_distance(start: int, end: int) -> int:
    """Frames from `start` to `end`, from -2**31 to 2**31 - 1: negative where `end` is the earlier one."""
    return (end - start + _HALF) % SERIAL_MODULUS - _HALF


def serial_before(first: int, second: int) -> bool:
    """Whether `first` is earlier than `second`."""
    return serial_distance(first, second) > 0


def extend_serial(serial: int, near: int) -> int:
    """The extended index nearest to `near` that has this serial.

    It is negative where the serial lies before the start of the epoch: such a packet is late, or hostile.
    """
    return near + serial_distance(to_serial(near), serial)
