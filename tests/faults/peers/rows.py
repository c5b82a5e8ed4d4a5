"""Those rows of the matrix that can be played to all: faults of the player's link, of the server, of the player."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.faults.matrix import find_row
from tests.faults.rows import Row

CLEAR: Final = Row("clear", "wan", fault_s=20.0, after_s=4.0)
"""Nothing goes wrong: what all of them do then, and what they send for it."""

CLEAR_LAN: Final = Row("clear-lan", "lan", fault_s=20.0, after_s=4.0)
SHORT: Final = Row("short", "lan", fault_s=3.0, after_s=2.0)

_NAMES: Final = (
    *("loss-1", "loss-5", "loss-20", "delay-100", "delay-300", "rate-8-wan", "rate-32-lan"),
    *("blackout-2-player", "blackout-5-player", "blackout-10-player", "blackout-30-player"),
    *("broker-kill", "broker-stop", "player-stop"),
)

_RETRY_S: Final = 40.0
"""After a fault of half a minute TCP sends again up to so much later, and who waits for it is heard then."""


def _listen_on(row: Row) -> Row:
    return replace(row, after_s=_RETRY_S) if row.fault_s >= 30 else row


PEER_ROWS: Final = (CLEAR, CLEAR_LAN, *(_listen_on(find_row(name)) for name in _NAMES))


def find_peer_row(name: str) -> Row:
    """By its name; KeyError where there is none."""
    return {row.name: row for row in (*PEER_ROWS, SHORT)}[name]
