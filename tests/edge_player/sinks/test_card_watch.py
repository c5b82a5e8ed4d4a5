"""When a card counts as gone, when it is looked for, when it is back."""

from __future__ import annotations

import pytest

from edge_player.sinks.card_watch import RETRY_S, SETTLED_CALLBACKS, SILENT_S, START_SILENT_S, CardWatch, Turn


def playing() -> CardWatch:
    watch = CardWatch()
    watch.opened(0)
    assert watch.look(1.0, active=True, callbacks=SETTLED_CALLBACKS, silent_s=0.0) is Turn.NOTHING
    return watch


def look(watch: CardWatch, now: float, *, active: bool = True, callbacks: int = 100, silent_s: float = 0.0) -> Turn:
    return watch.look(now, active=active, callbacks=callbacks, silent_s=silent_s)


@pytest.mark.parametrize(("active", "silent_s"), [(False, 0.0), (True, SILENT_S)])
def test_a_card_is_gone_when_portaudio_says_so_or_when_it_asks_for_nothing(active: bool, silent_s: float) -> None:
    watch = playing()
    assert look(watch, 2.0, active=active, silent_s=silent_s) is Turn.LOST
    assert watch.lost == 1


def test_a_card_may_take_its_time_to_start() -> None:
    watch = CardWatch()
    watch.opened(0)
    assert look(watch, 3.0, callbacks=3, silent_s=SILENT_S + 1) is Turn.NOTHING
    assert look(watch, 9.0, callbacks=3, silent_s=START_SILENT_S) is Turn.LOST


def test_it_is_looked_for_with_longer_and_longer_waits() -> None:
    watch = playing()
    now = 10.0
    look(watch, now, active=False)
    waits = []
    for _ in range(6):
        began = now
        while look(watch, now) is not Turn.OPEN:
            now += 0.01
        waits.append(round(now - began, 1))
        watch.refused(now)
    assert waits == [0.5, 1.0, 2.0, RETRY_S[1], RETRY_S[1], RETRY_S[1]]


def test_it_is_back_once_it_has_asked_for_more_than_fills_its_buffer() -> None:
    watch = playing()
    look(watch, 10.0, active=False)
    watch.opened(100)
    assert look(watch, 11.0, callbacks=103) is Turn.NOTHING
    assert watch.back == 0
    assert look(watch, 12.0, callbacks=100 + SETTLED_CALLBACKS) is Turn.BACK
    assert look(watch, 12.1, callbacks=200) is Turn.NOTHING
    assert (watch.lost, watch.back) == (1, 1)


def test_a_card_that_opens_and_fails_again_was_never_back() -> None:
    watch = playing()
    for now in (10.0, 20.0, 30.0):
        assert look(watch, now, active=False) is Turn.LOST
        watch.opened(100)
    assert (watch.lost, watch.back) == (1, 0)


def test_a_card_that_never_ran_is_counted_as_lost_once() -> None:
    watch = CardWatch()
    watch.opened(0)
    assert look(watch, 1.0, active=False, callbacks=0) is Turn.LOST
    watch.opened(0)
    assert look(watch, 2.0, active=False, callbacks=0) is Turn.LOST
    assert watch.lost == 1


def test_after_it_was_back_the_waits_begin_anew() -> None:
    watch = playing()
    for now in (10.0, 20.0, 30.0):
        look(watch, now, active=False)
    watch.opened(100)
    look(watch, 40.0, callbacks=200)
    look(watch, 50.0, active=False)
    assert look(watch, 50.0 + RETRY_S[0]) is Turn.OPEN
