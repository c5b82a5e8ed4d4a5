"""A sound card by way of PortAudio. It runs at its own rate; the player resamples before the ring."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_player.errors import SinkError
from edge_player.render.ring import PcmRing
from edge_player.sinks.portaudio import OutputDevice, find_output_device, load_portaudio

logger = logging.getLogger(__name__)

BLOCK_S = 0.02
LEAD_S = 0.06
"""Three blocks: the card asks for one at a time, the worker sleeps up to one more, decoding takes milliseconds."""

MAX_BLOCK_S = 0.5
"""PortAudio may ask for more at once than it was told to; above this the rest of a block stays silent."""

SILENT_S = 2.0
"""A card that asked for nothing for so long has vanished."""

WATCH_S = 0.5
REOPEN_S = (0.5, 3.0)
"""First and longest wait between attempts to open a card that vanished."""

_JOIN_S = 3.0


class SoundDeviceSink:
    """Plays on a card, and looks for it again when it vanishes. Not reusable.

    PortAudio's callback copies from the ring and fills up with zeros: no lock, no allocation that grows, no exception.
    """

    def __init__(self, device: str | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`device`: index or part of a name; None: the default card. Raises SinkError when there is none."""
        self._wanted = device
        self._clock = clock
        self._device = find_output_device(device)
        self._rate = self._device.rate
        self._scratch: NDArray[np.float32] = np.zeros(round(MAX_BLOCK_S * self._rate), dtype=np.float32)
        self._ring: PcmRing | None = None
        self._stream: Any = None
        self._asked_at = 0.0
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None
        self.callbacks = 0
        self.status_flags = 0
        self.reopened = 0

    @property
    def sample_rate(self) -> int:
        """Hz, the card's own."""
        return self._rate

    @property
    def lead_s(self) -> float:
        """What the ring has to hold, seconds."""
        return LEAD_S

    @property
    def latency_s(self) -> float:
        """What PortAudio says lies between the callback and the loudspeaker."""
        stream = self._stream
        return 0.0 if stream is None else float(stream.latency)

    @property
    def failure(self) -> Exception | None:
        """None: a card that vanishes is waited for."""
        return None

    @property
    def description(self) -> str:
        """For people."""
        return f"{self._device.name} at {self._rate} Hz"

    @property
    def counters(self) -> Mapping[str, int]:
        """Blocks asked for, those with a complaint of PortAudio's (underflow), and how often a card came back."""
        return {
            "sink_callbacks": self.callbacks,
            "sink_status_flags": self.status_flags,
            "sink_reopened": self.reopened,
        }

    def start(self, ring: PcmRing) -> None:
        """Open the card and begin to empty `ring`. Raises SinkError."""
        self._ring = ring
        self._open(self._device)
        self._watcher = threading.Thread(target=self._watch, name="sound-card-watch", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """End at once, close the card. Safe to call twice."""
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join(_JOIN_S)
        self._close()

    def _open(self, device: OutputDevice) -> None:
        sounddevice = load_portaudio()
        try:
            stream = sounddevice.OutputStream(
                device=device.index,
                samplerate=self._rate,
                channels=min(2, device.channels),
                dtype="float32",
                blocksize=round(BLOCK_S * self._rate),
                latency="low",
                callback=self._callback,
            )
            stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise SinkError(f"The sound card {device.name} cannot be opened at {self._rate} Hz: {error}") from error
        self._device = device
        self._asked_at = self._clock()
        self._stream = stream

    def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.close()
            except Exception as error:  # a card that was pulled out may refuse even this
                logger.debug("closing the sound card: %s", error)

    def _callback(self, out: NDArray[np.float32], frames: int, _time: object, status: object) -> None:
        """Called from the PortAudio thread: copy, zero-fill, return."""
        self.callbacks += 1
        self.status_flags += bool(status)
        self._asked_at = self._clock()
        ring = self._ring
        count = min(frames, len(self._scratch))
        if ring is None:
            out.fill(0.0)
            return
        ring.fill(self._scratch[:count])
        out[:count] = self._scratch[:count, np.newaxis]
        out[count:] = 0.0

    @property
    def _alive(self) -> bool:
        stream = self._stream
        return stream is not None and bool(stream.active) and self._clock() - self._asked_at < SILENT_S

    def _watch(self) -> None:
        """Reopen a card that vanished, for as long as it takes."""
        wait_s = REOPEN_S[0]
        while not self._stop.wait(WATCH_S):
            if self._alive:
                wait_s = REOPEN_S[0]
                continue
            if self._stream is not None:
                logger.warning("the sound card %s has gone; looking for it again", self._device.name)
                self._close()
            if self._stop.wait(wait_s):
                return
            wait_s = min(2 * wait_s, REOPEN_S[1])
            self._reopen()

    def _reopen(self) -> None:
        sounddevice = load_portaudio()
        try:
            # PortAudio lists the cards once, when it starts: only a restart shows one that came back.
            sounddevice._terminate()
            sounddevice._initialize()
            device = find_output_device(self._wanted)
            if self._ring is not None:
                self._ring.discard()  # nobody reads now; what waited is stale
            self._open(device)
        except Exception as error:
            logger.debug("the sound card is not back: %s", error)
            return
        self.reopened += 1
        logger.warning("playing again on %s", self.description)
