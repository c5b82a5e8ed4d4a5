"""Numbers below 1.2e-38 flushed to zero, while a model runs and only then.

Digital silence leaves streaming states full of denormals, and a processor computes those ten to a hundred times slower.
ONNX Runtime's `session.set_denormal_as_zero` does not do what its name says for the thread that calls `run`: it acts
once per process, on the thread that makes the very first session, whose floats then stay changed (numpy and hypothesis
complain), while a worker thread made earlier computes denormals all the same (measured with 1.32). So the control word
is set here around each run and put back after it. The option still serves the threads of ONNX Runtime's own pool.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import numpy as np

_FENV_WORDS = 8
"""fenv_t is 32 bytes on x86-64 (glibc and musl), 8 on 64-bit Arm; room for both."""


class _ControlWord(NamedTuple):
    """Where fenv_t keeps the flush bits: number of the 32-bit word, and the bits in it."""

    place: int
    bits: int


_CONTROL_WORDS = {
    "x86_64": _ControlWord(7, 0x8040),  # MXCSR: flush to zero, denormals are zero
    "aarch64": _ControlWord(0, 1 << 24),  # FPCR: FZ
}


class DenormalGuard:
    """Turns flushing on and off for the calling thread. One guard per session: it holds what to put back.

    Where the C library is not the expected one, `works` is False and both calls do nothing: slower silence, same sound.
    """

    def __init__(self) -> None:
        functions = _float_environment()
        self.works = functions is not None
        if functions is not None:
            self._get, self._set, self._word = functions
        self._before = (ctypes.c_uint32 * _FENV_WORDS)()
        self._during = (ctypes.c_uint32 * _FENV_WORDS)()

    def enter(self) -> None:
        """Flush from here on. Called on the thread that runs the model."""
        if self.works:
            self._get(self._before)
            ctypes.memmove(self._during, self._before, ctypes.sizeof(self._before))
            self._during[self._word.place] |= self._word.bits
            self._set(self._during)

    def leave(self) -> None:
        """Put the thread's floats back as `enter` found them. On the same thread as `enter`."""
        if self.works:
            self._set(self._before)


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """A `with` block in which denormals are flushed, for places that are not in a hurry."""
    guard = DenormalGuard()
    guard.enter()
    try:
        yield
    finally:
        guard.leave()


_Call = Callable[[ctypes.Array[ctypes.c_uint32]], int]


@cache
def _float_environment() -> tuple[_Call, _Call, _ControlWord] | None:
    """fegetenv and fesetenv, tried once and found to work; None elsewhere."""
    word = _CONTROL_WORDS.get(platform.machine())
    if not sys.platform.startswith("linux") or word is None:
        return None
    try:
        # PyDLL, not CDLL: it keeps the interpreter lock, which would cost more than the call.
        library = ctypes.PyDLL(None)
        get, put = library.fegetenv, library.fesetenv
    except (OSError, AttributeError):
        try:
            library = ctypes.PyDLL("libm.so.6")
            get, put = library.fegetenv, library.fesetenv
        except (OSError, AttributeError):
            return None
    before = (ctypes.c_uint32 * _FENV_WORDS)()
    during = (ctypes.c_uint32 * _FENV_WORDS)()
    get(before)
    ctypes.memmove(during, before, ctypes.sizeof(before))
    during[word.place] |= word.bits
    tiny, half = np.float32(1e-39), np.float32(0.5)
    put(during)
    flushed = tiny * half
    put(before)
    return (get, put, word) if flushed == 0 and tiny * half != 0 else None
