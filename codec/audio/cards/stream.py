"""A card that records or plays: float32 blocks by callback, channels chosen, latency measured."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from codec.audio.cards.card import SoundCard
from codec.audio.cards.faults import explain
from codec.audio.cards.portaudio import call_portaudio, count_stream, load_portaudio, mark_stale
from codec.errors import SoundCardError

logger = logging.getLogger(__name__)

InputCallback = Callable[[NDArray[np.float32], float, bool], None]
"""(samples [n, chosen channels], age of the first in seconds, overflowed), on the PortAudio thread."""

OutputCallback = Callable[[NDArray[np.float32], bool], None]
"""(mono samples [n] to fill in place, underflowed), on the PortAudio thread."""

MAX_AGE_S = 10.0
"""Host APIs have been seen to give times of another clock: nothing is older than this."""

_SMOOTHING = 0.05  # of the measured latency: a twentieth of each new value
_CLOSE_S = 3.0
_SCRATCH_S = 0.1


class CardStream(Protocol):
    """A card that was opened. Not reusable; `close` may be called twice, from any thread."""

    @property
    def card(self) -> SoundCard:
        """Which one it is."""

    @property
    def sample_rate(self) -> int:
        """Hz, what it really runs at."""

    @property
    def channels(self) -> int:
        """How many of the card are open; a callback sees the chosen ones."""

    @property
    def latency_s(self) -> float:
        """Between the callback and the air, as measured by the host, or else as it promised."""

    @property
    def active(self) -> bool:
        """False once the card has vanished, and before `start` and after `close`. Cheap; any thread."""

    def start(self) -> None:
        """Callbacks begin. Raises SoundCardError."""

    def close(self) -> None:
        """Callbacks have ended when it returns. Never raises."""


class PortAudioStream:
    """Base of both directions: life and death of a `sounddevice` stream. `raw` is set by whoever opened it."""

    def __init__(self, card: SoundCard) -> None:
        self.card = card
        self.raw: Any = None
        self._latency_s = 0.0
        self._finished = False

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return round(float(self.raw.samplerate))

    @property
    def channels(self) -> int:
        """Open ones."""
        return int(self.raw.channels)

    @property
    def latency_s(self) -> float:
        """See CardStream."""
        return self._latency_s or float(self.raw.latency)

    @property
    def active(self) -> bool:
        """See CardStream. Asks nobody: PortAudio tells by `on_finished`."""
        return self._started and not self._finished

    _started = False

    def on_finished(self) -> None:
        """PortAudio thread: no callback comes any more."""
        self._finished = True

    def start(self) -> None:
        """See CardStream."""
        portaudio_error: type[Exception] = load_portaudio().PortAudioError
        try:
            call_portaudio(self.raw.start)
        except portaudio_error as error:
            mark_stale()
            raise explain(error, self.card) from error
        self._started = True

    def close(self) -> None:
        """See CardStream. One that hangs is left behind: nothing else can be done about it."""
        self._finished = True
        try:
            call_portaudio(self._close, timeout_s=_CLOSE_S)
        except SoundCardError as error:
            logger.warning("the sound card %s cannot be closed: %s", self.card.name, error)
        except Exception as error:  # a card that was pulled out may refuse even this
            logger.debug("closing the sound card %s: %s", self.card.name, error)

    _closed = False

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self.raw.close()
        finally:
            count_stream(-1)

    def _measure(self, latency_s: float) -> None:
        """0 is what host APIs give that do not know."""
        if 0.0 < latency_s < MAX_AGE_S:
            known = self._latency_s
            self._latency_s = latency_s if not known else known + _SMOOTHING * (latency_s - known)


class InputStream(PortAudioStream):
    """Hands over blocks [n, chosen channels], copied."""

    def __init__(self, card: SoundCard, columns: NDArray[np.intp], callback: InputCallback) -> None:
        super().__init__(card)
        self._columns = columns
        self._callback = callback

    def on_block(self, data: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        """PortAudio thread."""
        age_s = times.currentTime - times.inputBufferAdcTime if times.inputBufferAdcTime > 0 else 0.0
        if not 0.0 < age_s < MAX_AGE_S:
            age_s = frames / self.raw.samplerate  # not told: as old as it is long
        self._measure(age_s)
        self._callback(data[:, self._columns], age_s, bool(status.input_overflow))


class OutputStream(PortAudioStream):
    """Asks for mono blocks and spreads them to the chosen channels; the others stay silent."""

    def __init__(self, card: SoundCard, columns: NDArray[np.intp], callback: OutputCallback) -> None:
        super().__init__(card)
        self._columns = columns
        self._callback = callback
        self._mono: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def prepare(self, sample_rate: float) -> None:
        """Before the first callback: it allocates nothing."""
        self._mono = np.zeros(max(1, round(_SCRATCH_S * sample_rate)), dtype=np.float32)

    def on_block(self, out: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        """PortAudio thread. A block longer than asked for is filled in pieces."""
        self._measure(times.outputBufferDacTime - times.currentTime)
        underflowed = bool(status.output_underflow)
        out.fill(0.0)
        for start in range(0, frames, len(self._mono)):
            mono = self._mono[: min(len(self._mono), frames - start)]
            self._callback(mono, underflowed)
            out[start : start + len(mono), self._columns] = mono[:, np.newaxis]
            underflowed = False
