"""One address on the network: a file that is read like a file, or a radio that is heard live."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codec import Resampler
from codec.audio.decoders import ByteSource, FileDecoder, NotAudioError, open_ffmpeg_object
from codec.audio.web.client import Aborted, ConnectionBroken, WebClient, WebResponse, shown
from codec.audio.web.recorded import Patience, RecordedBytes, Retry
from codec.checks import clean_samples
from codec.errors import AddressError
from gateway.errors import SourceError
from gateway.sources.base import AudioBlock
from gateway.sources.playlist import MAX_LIST_BYTES, is_hls, is_list, remote_targets
from gateway.sources.web.feed import RadioBytes
from gateway.sources.web.hls import HlsBytes
from gateway.sources.web.prefetch import Prefetch
from protocol.untrusted import clean_text

__all__ = ["NetworkSource", "PlayListFound"]

logger = logging.getLogger(__name__)

PREFETCH_S = 10.0
PRIME_S = 1.2
"""More than the second of lateness that the encoder worker lets pass: after a stall it moves on to now at once."""

_POLL_S = 0.2
_JOIN_S = 2.0
_STABLE_S = 5.0  # a radio that greets with a burst and hangs up is not asked again at once
_LIVE_OPTIONS = {"probesize": "32768", "analyzeduration": "1000000"}  # a radio of 16 kbit/s gives 2 kB a second
_WEB_PAGES = ("text/html", "application/xhtml+xml", "application/json", "image/", "video/x-youtube")
_NOTHING = AudioBlock(np.zeros(0, dtype=np.float32))


class PlayListFound(Exception):
    """What is behind the address is a play list; `targets` are the addresses it names."""

    def __init__(self, targets: list[str]) -> None:
        super().__init__(f"a play list of {len(targets)}")
        self.targets = targets


@dataclass(frozen=True, slots=True)
class _Opened:
    """What an address turned out to be."""

    data: ByteSource
    live: bool
    name: str | None = None
    more_formats: tuple[str, ...] = ()


class NetworkSource:
    """An AudioSource behind http or https. A thread of its own fetches and decodes into a bounded buffer.

    The pacer sets the pace, whatever comes: nothing goes out faster than real time. A recording is fetched 10 s ahead
    at most, and read on where its connection broke. A radio is heard live: the buffer drops the oldest, its end is a
    lost connection that is made anew, and after a stall it goes on at what it sends now.

    live_content: take it for a radio though it does not say so. loop: a recording again and again. wait: for an
    address that cannot be reached as long as it takes, else AddressError (exit 66) when it is opened, and after 60 s
    without a byte later. stop: ends the waiting inside `__enter__`.

    Entering and `blocks` raise PlayListFound where the address holds a list.
    """

    live = False

    def __init__(
        self,
        address: str,
        *,
        sample_rate: int,
        live_content: bool = False,
        loop: bool = False,
        wait: bool = False,
        stop: threading.Event | None = None,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._sample_rate = sample_rate
        self._forced_live = live_content
        self._loop = loop
        self._wait = wait
        self._stop = stop or threading.Event()
        patience = patience or Patience()
        if wait:
            patience = Patience(patience.timeout_s, float("inf"), patience.first_retry_s, patience.max_retry_s)
        self._clock = clock
        self._retry = Retry(patience, clock=clock)
        self._client = WebClient(timeout_s=patience.timeout_s, can_wait=True)
        self._buffer = Prefetch(int(PREFETCH_S * sample_rate), prime=int(PRIME_S * sample_rate))
        self._description = f"address {shown(address)}"
        self._counts = dict.fromkeys(("input_reconnects", "input_damaged_packets", "input_nonfinite_samples"), 0)
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._main, name="network-source", daemon=True)
        self.title: str | None = None
        """What a radio says that it plays."""

    @property
    def description(self) -> str:
        return self._description

    @property
    def overflows(self) -> int:
        return self._buffer.overflows

    @property
    def counters(self) -> Mapping[str, int]:
        """Connections made anew, what the decoder had to skip or clean, and live sound that nobody took in time."""
        return {**self._counts, "input_dropped_ms": self._buffer.dropped_samples * 1000 // self._sample_rate}

    def __enter__(self) -> Self:
        self._thread.start()
        # The thread's own time-outs bound this: to connect, and to the first sound.
        while not self._opened.wait(_POLL_S) and not self._stop.is_set() and not self._wait:
            pass
        if self._opened.is_set() and self._buffer.finished and not self._buffer.held:
            try:
                self._buffer.take(0.0)
            except BaseException:
                self.__exit__(None, None, None)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.abort()
        self._buffer.close()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            logger.warning("%s: its thread still waits for the name server; leaving it behind", self._description)

    def blocks(self, stop: threading.Event) -> Iterator[AudioBlock]:
        """See AudioSource. An empty block says that there is nothing for the moment."""
        self._buffer.listen()
        while not stop.is_set():
            samples = self._buffer.take(_POLL_S)
            if samples is None:
                return
            yield AudioBlock(samples) if samples.size else _NOTHING

    # -- on the thread

    def _main(self) -> None:
        try:
            self._fetch()
            self._buffer.finish()
        except Aborted:
            self._buffer.finish()
        except BaseException as error:  # raised again by whoever takes
            self._buffer.finish(error)
        finally:
            self._opened.set()

    def _fetch(self) -> None:
        said = False
        while True:
            try:
                if self._play_once():
                    if not self._loop:
                        return
                    continue
                error = AddressError(f"{self._description}: the connection was lost.", transient=True)
            except (AddressError, NotAudioError) as failure:
                error = self._worth_another_try(failure)
            delay_s = self._retry.delay_s()
            if delay_s is None:
                raise error
            log = logger.debug if said else logger.warning
            log("%s Trying again.", error)
            said = not self._opened.is_set() or not self._buffer.live
            self._client.pause(delay_s)
            self._counts["input_reconnects"] += 1

    def _worth_another_try(self, failure: AddressError | NotAudioError) -> AddressError:
        """The failure as what the user is told; raises it where trying again is no use."""
        if isinstance(failure, NotAudioError):
            text = f"No audio at {shown(self._address)}: expected MP3, AAC, Ogg, FLAC or another kind of sound."
            failure = AddressError(text, transient=self._buffer.live)
            if not self._buffer.live:
                raise failure  # a file does not become audio by waiting
        if self._wait or (self._opened.is_set() and self._buffer.live):
            return failure
        raise failure

    def _play_once(self) -> bool:
        """From a new connection to its end; returns whether that is the end of the sound as well.

        Raises AddressError, NotAudioError, PlayListFound and Aborted.
        """
        opened = self._open()
        self._buffer.live = opened.live
        self._buffer.drops = opened.live and not isinstance(opened.data, HlsBytes)  # pieces wait at the server
        options = _LIVE_OPTIONS if opened.live else None
        decoder = open_ffmpeg_object(opened.data, more_formats=opened.more_formats, options=options)
        try:
            self._describe(opened, decoder)
            samples = self._pump(decoder)
        finally:
            decoder.close()
            self._counts["input_damaged_packets"] += decoder.damaged_packets
            if isinstance(opened.data, RecordedBytes | HlsBytes):
                self._counts["input_reconnects"] += opened.data.reconnects
        if not samples and not opened.live:
            raise SourceError(f"No audio at {shown(self._address)}: the file holds no samples.")
        return not opened.live or (isinstance(opened.data, HlsBytes) and not opened.data.live)

    def _pump(self, decoder: FileDecoder) -> int:
        """Decoder to buffer until either ends; returns how many samples there were."""
        resampler = Resampler(decoder.sample_rate, self._sample_rate)
        total = 0
        stable_at = self._clock() + _STABLE_S
        while (block := decoder.read()) is not None:
            samples = resampler.process(self._mono(block))
            total += block.shape[0]
            if self._clock() >= stable_at or not self._buffer.live:
                self._retry.succeeded()
            if not self._buffer.put(samples):
                raise Aborted
            self._opened.set()
        self._buffer.put(resampler.flush())
        return total

    def _mono(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        cleaned, replaced = clean_samples(block)
        self._counts["input_nonfinite_samples"] += replaced
        return cleaned[:, 0] if cleaned.shape[1] == 1 else cleaned.mean(axis=1, dtype=np.float32)

    def _open(self) -> _Opened:
        response = self._client.get(self._address)
        try:
            return self._judge(response)
        except ConnectionBroken as error:
            response.close()
            raise AddressError(f"{shown(self._address)} broke off: {error}.", transient=True) from error
        except BaseException:
            response.close()
            raise

    def _judge(self, response: WebResponse) -> _Opened:
        """What it is: by what the server says first, by the name and the content where it says nothing."""
        kind = response.content_type
        if not response.live and is_list(_path(response.url), kind):
            data = response.read_all(MAX_LIST_BYTES)
            response.close()
            if not is_hls(data):
                raise PlayListFound(remote_targets(data, response.url))
            pieces = HlsBytes(self._client, response.url, data, self._retry)
            return _Opened(pieces, pieces.live, more_formats=("mpegts",))
        if kind.startswith(_WEB_PAGES):
            raise AddressError(
                f"{shown(self._address)} is no audio but {kind}, expected sound or a play list. "
                "Look for the address of the stream itself.",
                transient=False,
            )
        if response.live or self._forced_live:
            name = response.header("icy-name")
            name = clean_text(name.encode("latin-1", "replace").decode("utf-8", "replace"), 64) if name else None
            return _Opened(RadioBytes(response, on_title=self._on_title), live=True, name=name)
        return _Opened(RecordedBytes(self._client, response, self._retry), live=False)

    def _describe(self, opened: _Opened, decoder: FileDecoder) -> None:
        if opened.live:
            name = "" if opened.name is None else f"{opened.name} at "
            self._description = f"radio {name}{shown(self._address)}"
        else:
            self._description = f"file {shown(self._address)}"
        logger.debug("%s: %d Hz, %d channels", self._description, decoder.sample_rate, decoder.channels)

    def _on_title(self, title: str) -> None:
        self.title = title
        logger.info("%s plays: %s", self._description, title)


def _path(address: str) -> str:
    return address.partition("?")[0].partition("#")[0]
