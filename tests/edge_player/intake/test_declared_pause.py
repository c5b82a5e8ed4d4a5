"""A pause that the sender declared, and how long it is believed."""

from __future__ import annotations

from edge_player.intake.declared_pause import DeclaredPause
from protocol.event import HEARTBEAT_PATIENCE_S


def test_a_pause_is_news_once_and_lasts_until_something_is_sent() -> None:
    pause = DeclaredPause()
    assert not pause.lasts(0.0)
    assert pause.hear(0.0)
    assert not pause.hear(15.0)
    assert pause.lasts(30.0)
    pause.end()
    assert not pause.lasts(30.0)


def test_a_pause_without_a_heartbeat_is_none_any_more() -> None:
    pause = DeclaredPause()
    pause.hear(0.0)
    assert pause.lasts(HEARTBEAT_PATIENCE_S - 0.1)
    assert not pause.lasts(HEARTBEAT_PATIENCE_S)
    assert pause.hear(100.0)
