"""An epoch is one run of one encoder: a random 64-bit number. Packets carry its low 7 bits."""

from __future__ import annotations

import secrets

from protocol.limits import MAX_EPOCH_LOW7


def epoch_low7(epoch: int) -> int:
    """What a token packet carries of the epoch: enough to tell it from the one before, in one byte."""
    return epoch & MAX_EPOCH_LOW7


def new_epoch(previous: int | None = None) -> int:
    """A random epoch; its low 7 bits differ from those of `previous`, so that no packet can belong to both."""
    while True:
        epoch = secrets.randbits(64)
        if previous is None or epoch_low7(epoch) != epoch_low7(previous):
            return epoch
