"""PortAudio, loaded when somebody wants a sound card: the package works without it.

All calls that open, close or list run on one thread of their own, one after the other. PortAudio is not thread-safe;
and a sound server that was stopped makes such a call wait for ever, which must not take a caller with it that has to
hear a Ctrl-C. Callbacks do not come this way.
"""

from __future__ import annotations

import atexit
import importlib
import logging
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from codec.audio.cards.quiet import QuietLibraries
from codec.errors import SoundCardError

logger = logging.getLogger(__name__)

CALL_S = 8.0
"""Longest wait for an answer. Opening a Bluetooth loudspeaker may take a few seconds."""

_T = TypeVar("_T")

_open_streams = 0
_list_is_stale = False


class _Caller:
    """The thread that calls PortAudio."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any], QuietLibraries]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._hung: Future[Any] | None = None

    def call(self, job: Callable[[], _T], timeout_s: float) -> _T:
        """Run `job` there and return what it returns; its exceptions too. SoundCardError when it does not answer."""
        if threading.current_thread() is self._thread:
            return job()
        if self._hung is not None and not self._hung.done():
            raise _no_answer()
        self._hung = None
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="portaudio", daemon=True)
                self._thread.start()
        future: Future[_T] = Future()
        quiet = QuietLibraries()
        self._jobs.put((future, job, quiet))
        try:
            return future.result(timeout_s)
        except TimeoutError:
            if future.done():  # the job's own
                raise
            self._hung = future
            quiet.restore()
            _let_the_process_end()
            raise _no_answer() from None

    def _run(self) -> None:
        while True:
            future, job, quiet = self._jobs.get()
            try:
                with quiet:
                    result = job()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            del future, job, quiet


def _no_answer() -> SoundCardError:
    return SoundCardError(
        "The sound system does not answer: look whether the sound server (PipeWire, PulseAudio) hangs", reason="failed"
    )


def _let_the_process_end() -> None:
    """sounddevice ends PortAudio when Python exits, which would wait for the same answer."""
    handler = getattr(sys.modules.get("sounddevice"), "_exit_handler", None)  # its import may be what hangs
    if handler is not None:
        atexit.unregister(handler)


_caller = _Caller()


def call_portaudio(job: Callable[[], _T], *, timeout_s: float = CALL_S) -> _T:
    """Run `job` on PortAudio's thread. Raises what it raises, and SoundCardError (`failed`) when it hangs."""
    return _caller.call(job, timeout_s)


def load_portaudio() -> Any:
    """The `sounddevice` module. Raises SoundCardError (`library`) that says what to install."""
    try:
        return importlib.import_module("sounddevice")
    except ModuleNotFoundError as error:
        raise SoundCardError(
            "Sound cards need the Python package sounddevice: pip install sounddevice", reason="library"
        ) from error
    except OSError as error:
        raise SoundCardError(
            "Sound cards need the PortAudio library, which is not installed: apt-get install libportaudio2",
            reason="library",
        ) from error


def refresh_portaudio() -> None:
    """Have PortAudio look for cards again: it lists them once, when it starts.

    Only while no stream is open in this process, since it ends them all: RuntimeError. Raises SoundCardError.
    """
    call_portaudio(_refresh)


def mark_stale() -> None:
    """The list of cards is not to be trusted any more: it is made anew before it is next read, if no stream is open."""
    global _list_is_stale
    _list_is_stale = True


def current_portaudio() -> Any:
    """The module, its list of cards made anew where it was marked. On PortAudio's thread only."""
    sounddevice = load_portaudio()
    if _list_is_stale and not _open_streams:
        _refresh()
    return sounddevice


def count_stream(change: int) -> None:
    """A stream was opened (1) or closed (-1). On PortAudio's thread only."""
    global _open_streams
    _open_streams += change


def _refresh() -> None:
    global _list_is_stale
    if _open_streams:
        raise RuntimeError("a stream is open: close it before PortAudio is started anew")
    sounddevice = load_portaudio()
    try:
        sounddevice._terminate()
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise SoundCardError(f"PortAudio does not start: {error}", reason="failed") from error
    _list_is_stale = False
