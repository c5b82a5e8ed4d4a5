"""The microphone, through PortAudio. sounddevice is imported only when somebody asks for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from codec import Resampler
from gateway.errors import MicrophoneError
from gateway.sources.base import AudioBlock
from gateway.sources.ring import BlockRing

__all__ = ["InputDevice", "InputStream", "MicSource", "list_input_devices", "open_portaudio"]

logger = logging.getLogger(__name__)

_RING_S = 2.0  # what the encoder may fall behind before the oldest audio goes
_SILENT_DEVICE_S = 2.0  # a card that hands over no block for so long has been pulled out
_RETRY_S = 1.0
_POLL_S = 0.2
_BLOCK_S = 0.02

#: `(samples [n] float32 mono, delay_s: age of the first of them now, overflowed)`, on the PortAudio thread.
OnBlock = Callable[[NDArray[np.float32], float, bool], None]


class InputStream(Protocol):
    """The little of sounddevice.InputStream that is used here."""

    @property
    def samplerate(self) -> float: ...

    def start(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A device that can record, as `gateway devices` lists it."""

    index: int
    name: str
    host_api: str
    channels: int
    sample_rate: int
    default: bool


class MicSource:
    """A live source: the sound card sets the pace, at its own rate, resampled to the codec's.

    The PortAudio callback copies into a ring of 2 s and returns; a full ring drops the oldest and counts
    `overflows`. A card that vanishes is opened again with `wait`, else MicrophoneError (exit 74) is raised.
    """

    live = True

    def __init__(
        self,
        device: str | int | None = None,
        *,
        sample_rate: int,
        wait: bool = False,
        clock: Callable[[], float] = time.monotonic,
        open_stream: Callable[[str | int | None, OnBlock], InputStream] | None = None,
    ) -> None:
        self._device = device
        self._sample_rate = sample_rate
        self._wait = wait
        self._clock = clock
        self._open_stream = open_stream or open_portaudio
        self._stream: InputStream | None = None
        self._resampler: Resampler | None = None
        self._ring = BlockRing(1)
        self._last_block_at = 0.0

    @property
    def description(self) -> str:
        return "microphone" if self._device is None else f"microphone {self._device}"

    @property
    def overflows(self) -> int:
        return self._ring.overflows

    @property
    def counters(self) -> Mapping[str, int]:
        """Nothing besides the overflows."""
        return {}

    def __enter__(self) -> Self:
        try:
            self._open()
        except MicrophoneError as error:
            if not self._wait:
                raise
            logger.warning("%s Waiting for it.", error)  # in `blocks`, where a stop is heard
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def blocks(self, stop: threading.Event) -> Iterator[AudioBlock]:
        """See AudioSource."""
        self._last_block_at = self._clock()
        if self._stream is not None:
            self._start()
        elif not self._reopen(stop):
            return
        while not stop.is_set():
            block = self._ring.take(_POLL_S)
            if block is not None:
                self._last_block_at = self._clock()
                yield self._at_codec_rate(block)
            elif self._clock() - self._last_block_at > _SILENT_DEVICE_S and not self._reopen(stop):
                return

    def _open(self) -> None:
        overflows = self._ring.overflows
        self._stream = self._open_stream(self._device, self._on_block)
        rate = round(self._stream.samplerate)
        self._ring = BlockRing(int(_RING_S * rate))
        self._ring.overflows = overflows
        self._resampler = None if rate == self._sample_rate else Resampler(rate, self._sample_rate)
        self._rate = rate

    def _start(self) -> None:
        if self._stream is None:
            raise RuntimeError("the microphone was not opened: use it in a `with`")
        self._last_block_at = self._clock()
        try:
            self._stream.start()
        except Exception as error:  # PortAudio's own class is not importable where PortAudio is missing
            raise MicrophoneError(f"The {self.description} does not start: {error}. See: gateway devices") from error

    def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.close()
            except Exception as error:  # a card that is gone refuses to be closed: there is nothing left to do
                logger.debug("closing the %s: %s", self.description, error)

    def _reopen(self, stop: threading.Event) -> bool:
        """The card went away. True once it is back; the time without it is the next block's lost samples."""
        if not self._wait:
            raise MicrophoneError(f"The {self.description} went silent: it was unplugged, or another program took it.")
        logger.warning("the %s went away; waiting for it", self.description)
        gone_at = self._last_block_at
        while not stop.is_set():
            self._close()
            try:
                self._open()
                self._start()
            except MicrophoneError:
                stop.wait(_RETRY_S)
                continue
            lost = max(0, int((self._clock() - gone_at) * self._rate))
            self._ring.put(np.zeros(0, dtype=np.float32), self._clock(), lost_before=lost)
            logger.info("the %s is back", self.description)
            return True
        return False

    def _on_block(self, samples: NDArray[np.float32], delay_s: float, overflowed: bool) -> None:
        """On the PortAudio thread. What the card dropped is not told in samples: one block is the best guess."""
        lost = len(samples) if overflowed else 0
        self._ring.put(samples, self._clock() - delay_s, lost_before=lost)

    def _at_codec_rate(self, block: AudioBlock) -> AudioBlock:
        if self._resampler is None:
            return block
        lost = round(block.lost_samples * self._sample_rate / self._rate)
        return AudioBlock(self._resampler.process(block.samples), block.captured_at, lost)


def open_portaudio(device: str | int | None, on_block: OnBlock) -> InputStream:
    """Open (not start) a device at its own rate, mono. Raises MicrophoneError (exit 74)."""
    sounddevice = _sounddevice()

    def callback(data: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        # Some host APIs leave the ADC time at zero: then the block is as old as it is long.
        age_s = times.currentTime - times.inputBufferAdcTime if times.inputBufferAdcTime > 0 else frames / rate
        on_block(data[:, 0].copy(), max(0.0, age_s), bool(status.input_overflow))

    chosen = int(device) if isinstance(device, str) and device.isdigit() else device
    try:
        rate = float(sounddevice.query_devices(chosen, "input")["default_samplerate"])
        stream: InputStream = sounddevice.InputStream(
            samplerate=rate,
            blocksize=int(rate * _BLOCK_S),
            device=chosen,
            channels=1,
            dtype="float32",
            callback=callback,
        )
    except (ValueError, sounddevice.PortAudioError) as error:
        name = "default microphone" if device is None else f"microphone {device!r}"
        raise MicrophoneError(f"Cannot open the {name}: {error}. List what there is: gateway devices") from error
    return stream


def list_input_devices() -> list[InputDevice]:
    """Every device that can record. Raises MicrophoneError (exit 74) where PortAudio is missing."""
    sounddevice = _sounddevice()
    apis = sounddevice.query_hostapis()
    default = sounddevice.default.device[0]
    return [
        InputDevice(
            index=index,
            name=str(device["name"]),
            host_api=str(apis[device["hostapi"]]["name"]),
            channels=int(device["max_input_channels"]),
            sample_rate=round(device["default_samplerate"]),
            default=index == default,
        )
        for index, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0
    ]


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise MicrophoneError("The microphone needs the package sounddevice: pip install sounddevice") from error
    except OSError as error:
        raise MicrophoneError(
            "The microphone needs PortAudio, which is not installed: apt install libportaudio2"
        ) from error
    return sounddevice
