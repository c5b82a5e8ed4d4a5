"""A file behind an address, as bytes: resumed where the connection broke off, as long as the patience lasts."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from codec.audio.web.client import ConnectionBroken, WebClient, WebResponse, shown
from codec.errors import AddressError

__all__ = ["Patience", "RecordedBytes", "Retry"]

_MAX_SKIP_BYTES = 64 << 20  # a server without ranges sends the whole again; more than this is not read for nothing


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a source on the network is waited for.

    timeout_s: to connect, and between two bytes. give_up_s: of attempts without a byte, then it is an error; infinity
    with --wait. first_retry_s, max_retry_s: between two attempts, doubling.
    """

    timeout_s: float = 10.0
    give_up_s: float = 60.0
    first_retry_s: float = 0.5
    max_retry_s: float = 8.0


class Retry:
    """When to try again: doubling with full jitter, and the end of the patience. Not for several threads."""

    def __init__(
        self,
        patience: Patience,
        *,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._patience = patience
        self._clock = clock
        self._uniform = uniform
        self._failures = 0
        self._failing_since = 0.0

    def succeeded(self) -> None:
        """Something came: the next failure is a first one."""
        self._failures = 0

    def delay_s(self) -> float | None:
        """Seconds to wait before the next attempt; None where it is time to give up."""
        if not self._failures:
            self._failing_since = self._clock()
        elif self._clock() - self._failing_since >= self._patience.give_up_s:
            return None
        ceiling = min(self._patience.max_retry_s, self._patience.first_retry_s * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return self._uniform(ceiling / 2, ceiling)


class RecordedBytes:
    """A file behind an address. A connection that breaks is made anew from the byte it had come to.

    FFmpeg may seek in it where the server takes ranges: some files carry their index at the end. `read` raises
    AddressError once the patience is over, or where the file changed meanwhile, and Aborted.
    """

    def __init__(self, client: WebClient, response: WebResponse, retry: Retry) -> None:
        self._client = client
        self._address = response.url
        self._response: WebResponse | None = response
        self._retry = retry
        self._length = response.length
        self._ranges = response.ranges
        self._etag = response.header("ETag")
        self._position = 0
        self._response_at = 0  # where the open response stands
        self.reconnects = 0

    def read(self, size: int, /) -> bytes:
        """See ByteSource."""
        while self._length is None or self._position < self._length:
            try:
                if self._response is not None and self._response_at != self._position:
                    self._drop()
                if self._response is None:
                    self._response = self._resume()
                data = self._response.read(size)
                if not data and self._length is not None:
                    raise ConnectionBroken("the connection was lost")
            except ConnectionBroken as error:
                self._lost(error)
                continue
            self._retry.succeeded()
            self._position = self._response_at = self._position + len(data)
            return data
        return b""

    def seekable(self) -> bool:
        """Whether the server takes ranges, and says how much there is."""
        return self._ranges and self._length is not None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of a file. Only a read at another place asks anew: FFmpeg likes to look at the end and come back."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length or 0}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Position of the next byte."""
        return self._position

    def close(self) -> None:
        """See ByteSource."""
        self._drop()

    def _drop(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def _lost(self, error: ConnectionBroken) -> None:
        self._drop()
        if self._client.aborted:
            self._client.pause(0.0)
        delay_s = self._retry.delay_s() if self._length is not None else None
        if delay_s is None:
            text = f"{shown(self._address)} broke off after {self._position} bytes: {error}."
            raise AddressError(text, transient=True) from error
        self._client.pause(delay_s)
        self.reconnects += 1

    def _resume(self) -> WebResponse:
        try:
            response = self._client.get(self._address, offset=self._position)
        except AddressError as error:
            if not error.transient:
                raise
            raise ConnectionBroken(str(error)) from error
        try:
            self._check_same(response)
            skip = self._position - response.start
            while skip:
                data = response.read(min(65536, skip))
                if not data:
                    raise ConnectionBroken("the connection was lost")
                skip -= len(data)
        except BaseException:
            response.close()
            raise
        self._response_at = self._position
        return response

    def _check_same(self, response: WebResponse) -> None:
        etag = response.header("ETag")
        if response.length != self._length or (etag and self._etag and etag != self._etag):
            raise AddressError(f"{shown(self._address)} changed while it was read. Start again.", transient=False)
        if not 0 <= self._position - response.start <= _MAX_SKIP_BYTES:
            text = f"{shown(self._address)} broke off, and its server cannot go on from byte {self._position}."
            raise AddressError(text, transient=False)
