"""Every frame due is counted once."""

from __future__ import annotations

import pytest

from edge_player.buffer.ledger import FrameLedger


def test_an_account_that_adds_up_is_balanced() -> None:
    ledger = FrameLedger(epoch=1, due=5, skipped=1)
    ledger.count_played()
    ledger.count_lost(audible=True)
    ledger.count_lost(audible=False)
    assert not ledger.balanced
    ledger.count_played()
    assert ledger.balanced


def test_forgotten_losses_leave_in_the_order_they_came_last_first() -> None:
    ledger = FrameLedger(epoch=1)
    ledger.count_played()
    for audible in (True, True, False, False):
        ledger.count_lost(audible=audible)
    ledger.forget_lost(3)
    assert (ledger.played, ledger.concealed, ledger.comfort) == (1, 1, 0)


def test_only_the_last_run_of_losses_can_be_forgotten() -> None:
    ledger = FrameLedger(epoch=1)
    ledger.count_lost(audible=True)
    ledger.count_played()
    with pytest.raises(ValueError, match="losses to forget"):
        ledger.forget_lost(1)
