"""Calls of PortAudio that hang, and the noise it makes."""

from __future__ import annotations

import logging
import os
import threading

import pytest

from codec.audio.cards import portaudio as portaudio_module
from codec.audio.cards import quiet as quiet_module
from codec.audio.cards.portaudio import call_portaudio
from codec.audio.cards.quiet import QuietLibraries
from codec.errors import SoundCardError


@pytest.fixture(autouse=True)
def _caller_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portaudio_module, "_caller", portaudio_module._Caller())


def test_all_calls_run_on_one_thread_and_may_call_again() -> None:
    names = {call_portaudio(lambda: call_portaudio(lambda: threading.current_thread().name)) for _ in range(3)}
    assert names == {"portaudio"}


def test_what_a_call_raises_reaches_the_caller() -> None:
    def fail() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        call_portaudio(fail)


def test_a_call_that_hangs_is_a_sentence_and_later_calls_do_not_wait_for_it() -> None:
    go_on, ended = threading.Event(), threading.Event()

    def hang() -> None:
        go_on.wait(10.0)
        ended.set()

    with pytest.raises(SoundCardError, match="does not answer") as caught:
        call_portaudio(hang, timeout_s=0.01)
    assert caught.value.reason == "failed"
    with pytest.raises(SoundCardError, match="does not answer"):
        call_portaudio(lambda: None, timeout_s=10.0)
    go_on.set()
    assert ended.wait(10.0)
    deadline = threading.Event()
    for _ in range(500):
        try:
            assert call_portaudio(lambda: 5) == 5
            break
        except SoundCardError:
            deadline.wait(0.01)  # between the end of the call and its result
    else:
        pytest.fail("a sound system that answers again is not used again")


def test_libraries_complain_to_the_log_and_all_else_comes_out(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG, logger="codec.audio.cards")
    monkeypatch.setattr(quiet_module.logger, "handlers", [caplog.handler])
    monkeypatch.setattr(quiet_module.logger, "propagate", False)  # handlers of other tests have words of their own
    with QuietLibraries():
        os.write(2, b"ALSA lib pcm.c:2664: Unknown PCM\nExpression 'ret' failed\nsomething else\n\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "something else\nafter\n"
    assert [record.message for record in caplog.records] == [
        "ALSA lib pcm.c:2664: Unknown PCM",
        "Expression 'ret' failed",
    ]


def test_standard_error_is_given_back_while_a_call_hangs(capfd: pytest.CaptureFixture[str]) -> None:
    go_on = threading.Event()

    def hang() -> None:
        os.write(2, b"ALSA lib noise\n")
        go_on.wait(10.0)

    with pytest.raises(SoundCardError):
        call_portaudio(hang, timeout_s=0.2)
    os.write(2, b"our own words\n")
    go_on.set()
    assert capfd.readouterr().err == "our own words\n"
