"""The microphone: a sound card that is opened, lost, looked for and opened again."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

import numpy as np

from codec.audio.cards import CardOptions, open_input
from codec.audio.cards.portaudio import mark_stale
from codec.errors import SoundCardError, SoundCardFault
from gateway.config import MicrophoneConfig
from gateway.errors import MicrophoneError
from gateway.sources.base import AudioBlock
from gateway.sources.card.capture import Capture, OpenCard

__all__ = ["MicSource"]

logger = logging.getLogger(__name__)

GIVE_UP_S = 10.0
"""So long a lost microphone is looked for without `wait`."""

_SILENT_CARD_S = 2.0  # a card that hands over no block for so long has been pulled out
_FIRST_BLOCK_S = 5.0  # a Bluetooth headset takes its time to switch its microphone on
_RETRY_S = 1.0
_POLL_S = 0.2
_PASSING: frozenset[SoundCardFault] = frozenset({"missing", "busy", "failed"})
"""What may be another in a minute; a wrong name, a refused rate and a missing library stay as they are."""


class MicSource:
    """A live source: the sound card sets the pace, at its own rate, resampled to the codec's.

    One that is missing or busy at the start is an error (SoundCardError, exit 74), or waited for with `wait`. One that
    vanishes in mid-stream is looked for: with `wait` for as long as it takes, else for 10 s, then MicrophoneError
    (exit 74). It may come back at another rate, and where none was named it may be another card: the default one of
    that moment. The time without it is `lost_samples` of the next block, so that frame indices stay on time.

    refresh: has PortAudio list its cards anew before the next opening.
    """

    live = True

    def __init__(
        self,
        config: MicrophoneConfig | None = None,
        *,
        sample_rate: int,
        wait: bool = False,
        clock: Callable[[], float] = time.monotonic,
        open_card: OpenCard = open_input,
        refresh: Callable[[], None] = mark_stale,
    ) -> None:
        config = config or MicrophoneConfig()
        self._options = CardOptions(
            device=config.device,
            sample_rate=config.rate,
            channels=None if config.channel is None else (config.channel,),
            exclusive=config.exclusive,
        )
        self._sample_rate = sample_rate
        self._wait = wait
        self._clock = clock
        self._open_card = open_card
        self._refresh = refresh
        self._capture: Capture | None = None
        self._card_name: str | None = None
        self._former_overflows = 0
        self._losses = 0
        self._returns = 0
        self._away = False  # lost, and not one block since
        self._heard_at = 0.0  # when the last block came
        self._overdue_at = 0.0  # when the next must have come
        self._next_at: float | None = None  # capture time of the sample after the last one given
        self._said: SoundCardFault | None = None

    @property
    def description(self) -> str:
        """`microphone USB Audio`: the card that is open, else the name that was asked for."""
        name = self._card_name or self._options.device
        return "microphone" if name is None else f"microphone {name}"

    @property
    def overflows(self) -> int:
        return self._former_overflows + (0 if self._capture is None else self._capture.overflows)

    @property
    def counters(self) -> Mapping[str, int]:
        """How often the card went away, and how often it came back."""
        return {"input_device_losses": self._losses, "input_device_returns": self._returns}

    def __enter__(self) -> Self:
        try:
            self._open()
        except SoundCardError as error:
            if not self._worth_waiting(error):
                raise
            self._say(error)  # waited for in `blocks`, where a stop is heard
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def blocks(self, stop: threading.Event) -> Iterator[AudioBlock]:
        """See AudioSource. Yields an empty block where none came for 0.2 s, so that nobody waits with what is there.

        Raises SoundCardError where the card does not start, MicrophoneError where it went away for good.
        """
        self._heard_at = self._clock()
        yield from self._bring_up(stop)
        while not stop.is_set():
            capture = self._capture
            if capture is None:
                yield from self._bring_up(stop)
                continue
            blocks = capture.take(_POLL_S)
            if blocks:
                yield from self._heard(blocks)
            elif not capture.active or self._clock() > self._overdue_at:
                yield capture.flush()
                self._lose()
            else:
                yield _nothing()

    def _open(self) -> None:
        self._capture = Capture(
            self._options, sample_rate=self._sample_rate, clock=self._clock, open_card=self._open_card
        )
        former, self._card_name = self._card_name, self._capture.card.name
        if former is not None and former != self._card_name:
            logger.warning("the microphone is another one now: %s; it was %s", self._card_name, former)

    def _close(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.close()
            self._former_overflows += capture.overflows

    def _bring_up(self, stop: threading.Event) -> Iterator[AudioBlock]:
        """Until the card runs, or a stop. Raises SoundCardError, and MicrophoneError for one that stays away."""
        while not stop.is_set():
            try:
                if self._capture is None:
                    self._open()
                self._start()
            except SoundCardError as error:
                self._close()
                self._refresh()
                if not self._worth_waiting(error):
                    if not self._away:
                        raise
                    raise self._gone(str(error)) from error
                self._say(error)
                yield _nothing()
                stop.wait(_RETRY_S)
            else:
                return

    def _start(self) -> None:
        capture = self._capture
        if capture is None:
            raise RuntimeError("the microphone was not opened: use it in a `with`")
        capture.start()
        self._overdue_at = self._clock() + _FIRST_BLOCK_S
        level = logging.DEBUG if self._away else logging.INFO  # one that is lost is said to be back when it is heard
        logger.log(level, "the %s is open at %d Hz", self.description, capture.sample_rate)

    def _heard(self, blocks: list[AudioBlock]) -> Iterator[AudioBlock]:
        """What came, with its times; the first after a loss says how much was lost."""
        self._heard_at = self._clock()
        self._overdue_at = self._heard_at + _SILENT_CARD_S
        for block in blocks:
            at = self._heard_at if block.captured_at is None else block.captured_at
            if self._away:
                block = self._welcome(block, at)
            self._next_at = at + len(block.samples) / self._sample_rate
            yield block

    def _welcome(self, block: AudioBlock, at: float) -> AudioBlock:
        away_s = 0.0 if self._next_at is None else max(0.0, at - self._next_at)
        self._away = False
        self._said = None
        self._returns += 1
        rate = 0 if self._capture is None else self._capture.sample_rate
        logger.warning("the %s is back after %.1f s, at %d Hz", self.description, away_s, rate)
        return dataclasses.replace(block, lost_samples=block.lost_samples + round(away_s * self._sample_rate))

    def _lose(self) -> None:
        if not self._away:
            self._away = True
            self._losses += 1
            self._said = "missing"
            what = "waiting for it" if self._wait else f"looking for it for {GIVE_UP_S:.0f} s"
            logger.warning("the %s went away: unplugged, or its sound server ended; %s", self.description, what)
        self._close()
        self._refresh()
        if not self._in_time:
            raise self._gone("it opens, but no sound comes")

    @property
    def _in_time(self) -> bool:
        """False where a lost card was looked for long enough."""
        return self._wait or self._clock() - self._heard_at < GIVE_UP_S

    def _worth_waiting(self, error: SoundCardError) -> bool:
        return self._in_time if self._away else self._wait and error.reason in _PASSING

    def _gone(self, why: str) -> MicrophoneError:
        return MicrophoneError(
            f"The {self.description} went away and did not come back within {GIVE_UP_S:.0f} s: plug it in again, "
            f"or wait for it with --wait ({why})"
        )

    def _say(self, error: SoundCardError) -> None:
        """Once for each reason, not once for each attempt."""
        if error.reason != self._said:
            self._said = error.reason
            logger.warning("%s; waiting for it", error)


def _nothing() -> AudioBlock:
    return AudioBlock(np.zeros(0, dtype=np.float32))
