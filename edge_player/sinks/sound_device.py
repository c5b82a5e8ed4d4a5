"""A sound card by way of PortAudio. It runs at its own rate; the player resamples before the ring."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from codec.audio.cards import CardOptions, CardStream, OutputCallback, open_output, refresh_portaudio
from codec.errors import SoundCardError
from edge_player.errors import SinkError
from edge_player.render.ring import PcmRing
from edge_player.sinks.card_watch import CardWatch, Turn
from edge_player.sinks.stand_in import StandIn
from protocol.service import WatchedPart

logger = logging.getLogger(__name__)

BLOCK_S = 0.02
LEAD_S = 0.06
"""Three blocks: the card asks for one at a time, the worker sleeps up to one more, decoding takes milliseconds."""

TICK_S = 0.05
"""Often enough to drain the ring by less than its lead at a time."""

OPEN_PATIENCE_S = 30.0
"""Opening a card may take seconds: a sound server that starts, a USB hub that wakes. One that hangs stays so."""

_JOIN_S = 4.0
_HOPELESS = ("library", "ambiguous", "format")
"""Faults that do not pass by waiting."""


class OpenOutput(Protocol):
    """`codec.audio.cards.open_output`, or a test's."""

    def __call__(self, options: CardOptions, callback: OutputCallback, *, block_s: float) -> CardStream: ...


class SoundDeviceSink:
    """Plays on a card, and looks for it again when it vanishes. Not reusable.

    PortAudio's callback copies from the ring and fills up with zeros: no wait, no allocation, no exception. While the
    card is gone a stand-in takes the samples, so that it comes back to what is due then. It may come back at another
    rate: then `sample_rate` changes, silence is played, and whoever fills the ring calls `attach` with a new one.
    """

    def __init__(
        self,
        options: CardOptions | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        open_card: OpenOutput = open_output,
        refresh: Callable[[], None] = refresh_portaudio,
    ) -> None:
        """The card is opened now, since its rate is needed; it plays from `start` on. Raises SinkError."""
        self._options = options or CardOptions()
        self._clock = clock
        self._open_card = open_card
        self._refresh = refresh
        self._attached: tuple[PcmRing, int] | None = None
        self._reading = threading.Lock()  # one reader at a time; nobody ever waits for it
        self._watch = CardWatch()
        self._stand_in = StandIn(block_s=BLOCK_S)
        self._asked_at = clock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._told: str | None = None
        self._failure: Exception | None = None
        self._looks = 0
        self._stand_ins = 0
        self.callbacks = 0
        self.underflows = 0
        self.rate_changes = 0
        self._stream: CardStream | None = self._open()
        self._rate = self._stream.sample_rate
        self._ring_rate = self._rate
        self._name = self._stream.card.name

    @property
    def sample_rate(self) -> int:
        """Hz, the card's; another one when it came back at another."""
        return self._rate

    @property
    def lead_s(self) -> float:
        """What the ring has to hold, seconds."""
        return LEAD_S

    @property
    def latency_s(self) -> float:
        """What lies between the callback and the loudspeaker, as the host measures it."""
        stream = self._stream
        return 0.0 if stream is None else stream.latency_s

    @property
    def failure(self) -> Exception | None:
        """A bug of ours that ended one of the threads; a card that vanishes is waited for, and is none."""
        return self._failure

    @property
    def description(self) -> str:
        """For people."""
        return f"{self._name} at {self._rate} Hz"

    @property
    def counters(self) -> Mapping[str, int]:
        """Blocks asked for and those before which the card ran dry; how often it went, came back, and changed its rate;
        sound that went by while it was gone."""
        return {
            "sink_callbacks": self.callbacks,
            "sink_underflows": self.underflows,
            "sink_lost": self._watch.lost,
            "sink_reopened": self._watch.back,
            "sink_rate_changes": self.rate_changes,
            "sink_unheard_ms": round(1000.0 * self._stand_in.unheard_s),
        }

    @property
    def parts(self) -> Sequence[WatchedPart]:
        """The two threads. The first of them looks after PortAudio's own: a card that asks for nothing has gone."""
        return (
            WatchedPart("sound card's watch", lambda: self._looks, patience_s=OPEN_PATIENCE_S),
            WatchedPart("sound card's stand-in", lambda: self._stand_ins),
        )

    def start(self, ring: PcmRing) -> None:
        """Begin to empty `ring`, whose samples are at the first `sample_rate`. Raises SinkError; may be tried again."""
        self.attach(ring, self._ring_rate)
        if self._stream is None:
            self._take_over(self._open())
        stream = self._stream
        assert stream is not None  # _open raises otherwise
        self._asked_at = self._clock()
        try:
            stream.start()
        except SoundCardError as error:
            self._stream = None
            stream.close()
            raise _sink_error(error) from error
        self._watch.opened(self.callbacks)
        for name, turn in (("sound-card-watch", self.look), ("sound-card-stand-in", self.stand_in)):
            thread = threading.Thread(target=self._repeat, args=(turn,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def attach(self, ring: PcmRing, sample_rate: int) -> None:
        """Read from this ring from now on. One of another rate than the card's is passed over in silence."""
        self._attached = (ring, sample_rate)

    def stop(self) -> None:
        """End at once, close the card. Safe to call twice and without `start`."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_JOIN_S)
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def stand_in(self) -> None:
        """One look at whether the card takes its samples. A thread calls this every TICK_S."""
        self._stand_ins += 1
        attached = self._attached
        if attached is None or not self._reading.acquire(blocking=False):
            return
        try:
            ring, rate = attached
            self._stand_in.tick(
                ring,
                self._clock(),
                sample_rate=rate,
                asked_at=self._asked_at,
                asked=self.callbacks,
                latency_s=None if self._stream is None else self.latency_s,
            )
        finally:
            self._reading.release()

    def look(self) -> None:
        """One look at the card's health. A thread calls this every TICK_S; opening a card takes longer."""
        self._looks += 1
        now = self._clock()
        stream = self._stream
        turn = self._watch.look(
            now,
            active=stream is not None and stream.active,
            callbacks=self.callbacks,
            silent_s=now - self._asked_at,
        )
        if turn is Turn.LOST:
            self._lose()
        elif turn is Turn.OPEN:
            self._reopen(now)
        elif turn is Turn.BACK:
            self._told = None
            logger.warning("playing again on %s", self.description)

    def _repeat(self, turn: Callable[[], None]) -> None:
        try:
            while not self._stop.wait(TICK_S):
                turn()
        except Exception as error:  # seen by the pipeline, which names it to the user
            logger.exception("a thread of the sound card ended")
            self._failure = error

    def _open(self) -> CardStream:
        try:
            return self._open_card(self._options, self._fill, block_s=BLOCK_S)
        except SoundCardError as error:
            raise _sink_error(error) from error

    def _fill(self, out: NDArray[np.float32], underflowed: bool) -> None:
        """Called from the PortAudio thread: copy, zero-fill, return."""
        self.callbacks += 1
        self.underflows += underflowed
        self._asked_at = self._clock()
        attached = self._attached
        if attached is None or self._stand_in.active or not self._reading.acquire(blocking=False):
            out.fill(0.0)
            return
        ring, rate = attached
        try:
            if rate == self._rate:
                ring.fill(out)
            else:
                out.fill(0.0)
                ring.drop(len(out) * rate // self._rate)  # time goes on until there is a ring of the new rate
        finally:
            self._reading.release()

    def _lose(self) -> None:
        stream, self._stream = self._stream, None
        self._tell(f"the sound card {self._name} has gone; looking for it again")
        if stream is not None:
            stream.close()

    def _reopen(self, now: float) -> None:
        stream: CardStream | None = None
        try:
            self._refresh()
            stream = self._open()
            stream.start()
        except (SinkError, SoundCardError) as error:
            if stream is not None:
                stream.close()
            self._watch.refused(now)
            logger.debug("the sound card is not back: %s", error)
            return
        if self._stop.is_set():
            stream.close()
            return
        self._take_over(stream)
        self._watch.opened(self.callbacks)

    def _take_over(self, stream: CardStream) -> None:
        name, self._name = self._name, stream.card.name
        if name != self._name and self._options.device is None:
            logger.warning("the default sound card is now %s, it was %s", self._name, name)
        if stream.sample_rate != self._rate:
            self.rate_changes += 1
            self._rate = stream.sample_rate
        self._asked_at = self._clock()
        self._stream = stream

    def _tell(self, sentence: str) -> None:
        """Once an episode: a card that hangs is opened again and again."""
        if sentence != self._told:
            self._told = sentence
            logger.warning("%s", sentence)


def _sink_error(error: SoundCardError) -> SinkError:
    return SinkError(str(error), retryable=error.reason not in _HOPELESS)
