from __future__ import annotations

import io
import sys
import threading
import time

import numpy as np
import pytest

from gateway.conditioning import SILENCE_DBFS, Level, LevelTracker
from gateway.meter import LevelMeter, MeterView


def level(peak_dbfs: float, *, clipped: bool = False) -> Level:
    return Level(rms_dbfs=peak_dbfs - 12, peak_dbfs=peak_dbfs, samples=1600, clipped=clipped)


NOTHING = Level(SILENCE_DBFS, SILENCE_DBFS, 0)


class Show:
    """A view and its clock: `show(level)` a tenth of a second later each time."""

    def __init__(self) -> None:
        self.view = MeterView()
        self.now = 100.0

    def __call__(self, shown: Level, *, times: int = 1) -> str:
        for _ in range(times):
            self.now += 0.1
            line = self.view.line(shown, self.now)
        return line


@pytest.fixture
def show() -> Show:
    return Show()


def test_nothing_is_shown_before_the_first_sample(show: Show) -> None:
    assert show(NOTHING) == ""


def test_the_bar_is_as_long_as_the_level_is_high(show: Show) -> None:
    assert show(level(-60)).count("█") == 0
    assert show(level(-30)).count("█") == 20
    assert show(level(0)).count("█") == 40
    assert show(level(6)).count("█") == 40
    assert show(level(SILENCE_DBFS)).count("█") == 0


@pytest.mark.parametrize(
    ("peak", "word"), [(-70, "silent"), (-45, "quiet"), (-20, "good"), (-6, "good"), (-1, "loud"), (3, "loud")]
)
def test_a_word_says_how_it_is(show: Show, peak: float, word: str) -> None:
    assert show(level(peak)).endswith(f" dBFS  {word}")


def test_a_peak_is_held_and_then_sinks(show: Show) -> None:
    assert " -10 dBFS" in show(level(-10))
    line = show(level(-40), times=14)
    assert " -10 dBFS" in line
    assert line.index("|") == 32  # five sixths of the bar
    line = show(level(-40), times=6)
    assert " -18 dBFS" in line or " -20 dBFS" in line
    assert " -40 dBFS" in show(level(-40), times=30)
    assert "|" not in show(level(-40))


def test_a_pause_between_words_is_still_good(show: Show) -> None:
    show(level(-12))
    assert show(level(-70), times=10).endswith("good")


def test_clipping_stays_visible_for_two_seconds(show: Show) -> None:
    assert show(level(0, clipped=True)).endswith("TOO LOUD")
    assert show(level(-30), times=15).endswith("TOO LOUD")
    assert not show(level(-30), times=10).endswith("TOO LOUD")


def test_digital_silence_for_three_seconds_looks_muted(show: Show) -> None:
    assert show(level(SILENCE_DBFS), times=25).endswith("silent")
    line = show(level(SILENCE_DBFS), times=10)
    assert line.endswith("-∞ dBFS  silent: muted?")
    assert show(level(-80)).endswith("silent")
    assert show(level(-20)).endswith("good")


def test_a_source_that_delivers_nothing_is_said(show: Show) -> None:
    show(level(-20))
    assert show(NOTHING, times=5).endswith("good")
    line = show(NOTHING, times=10)
    assert line.endswith("nothing arrives")
    assert "█" not in line
    assert show(level(-20)).endswith("good")


@pytest.mark.parametrize("columns", [1, 10, 20, 40, 79])
def test_a_narrow_terminal_gets_a_shorter_bar(columns: int) -> None:
    line = MeterView().line(level(-20), 1.0, columns=columns)
    assert len(line) <= columns
    if columns >= 40:
        assert line.endswith("dBFS  good")
        assert "█" in line


def test_a_terminal_without_block_characters_gets_others() -> None:
    view = MeterView(unicode=False)
    line = view.line(level(-30), 1.0)
    assert line.isascii()
    assert line.count("#") == 20
    assert view.line(level(SILENCE_DBFS), 20.0).isascii()


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_the_meter_draws_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    tracker = LevelTracker()
    with LevelMeter(tracker):
        deadline = time.monotonic() + 10
        while "good" not in terminal.getvalue():
            assert time.monotonic() < deadline
            tracker.add(np.full(1600, 0.3, dtype=np.float32))
            time.sleep(0.02)
    shown = terminal.getvalue()
    assert "█" in shown
    assert shown.endswith("\r")
    assert shown.rsplit("\r", 2)[1].strip() == ""
    assert sys.stderr is terminal
    assert not [thread for thread in threading.enumerate() if thread.name == "level-meter"]


def test_a_meter_that_cannot_draw_does_not_stop_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(LevelTracker):
        def take(self) -> Level:
            raise RuntimeError("no")

    monkeypatch.setattr("gateway.meter.REDRAW_S", 0.001)
    with LevelMeter(Broken(), stream=Terminal()) as meter:
        meter._thread.join(5.0)
        assert not meter._thread.is_alive()
