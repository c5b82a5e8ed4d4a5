"""HTTP for sources: what an address answers, as bytes, under rules of our own.

Not FFmpeg's HTTP: that one verifies no certificate unless told how, cannot be woken while it waits, and opens whatever
protocol a list or a redirect names. FFmpeg only ever sees bytes here.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
import socket
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
import weakref
from dataclasses import dataclass
from typing import Any

from codec.audio.web.opener import make_opener
from codec.errors import AddressError

__all__ = ["Aborted", "ConnectionBroken", "WebClient", "WebResponse", "is_address", "shown"]

TIMEOUT_S = 10.0
"""To connect, and between two bytes. A radio sends something all the time."""

_HEADERS = {"User-Agent": "voxwire", "Accept": "*/*", "Icy-MetaData": "1"}
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_SAFE = "%/:=&?~#+!$,;'@()*[]"


class Aborted(Exception):
    """The source is being closed; nobody waits for these bytes any more."""


class ConnectionBroken(Exception):
    """The bytes stopped before their end; the text says how."""


def is_address(target: str) -> bool:
    """Whether this is meant as an address on the network: it has a scheme."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", target) is not None


def shown(address: str) -> str:
    """An address for logs and status: neither password nor query, which may hold a token."""
    parts = urllib.parse.urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{'?…' if parts.query else ''}"


@dataclass(frozen=True, slots=True)
class _Target:
    url: str
    authorization: str | None


class WebResponse:
    """A response that gives bytes. For one thread; closed by whoever got it.

    url: where the redirects led. start: position of its first byte in the whole; 0 also where a range was asked for
    and not given. length: of the whole, None where the server does not say.
    """

    def __init__(self, response: Any) -> None:
        self._response = response
        self.url: str = response.url
        self.headers = response.headers
        self.start = 0
        self.length = _number(self.headers.get("Content-Length"))
        self.ranges = self.headers.get("Accept-Ranges", "").strip().lower() == "bytes"
        if response.status == 206:
            found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", self.headers.get("Content-Range", "").strip())
            if found is None:
                raise ConnectionBroken("the server answers a range without saying which")
            self.start, self.length, self.ranges = int(found[1]), _number(found[2]), True

    @property
    def content_type(self) -> str:
        """`audio/mpeg`, in lower case and without parameters; empty where the server does not say."""
        return str(self.headers.get("Content-Type", "")).partition(";")[0].strip().lower()

    @property
    def live(self) -> bool:
        """Whether it looks like a radio: those say `icy-…`, some even with a made-up length."""
        server = str(self.headers.get("Server", "")).lower()
        if any(name.lower().startswith("icy-") for name in self.headers):
            return True
        return self.length is None and server.startswith(("icecast", "shoutcast"))

    def header(self, name: str) -> str | None:
        """A header as text, None where it is not there."""
        value = self.headers.get(name)
        return None if value is None else str(value)

    def read(self, size: int, /) -> bytes:
        """What there is, at most `size` bytes; b"" at the end. Raises ConnectionBroken."""
        try:
            data: bytes = self._response.read1(size)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ConnectionBroken(_explain(error)) from error
        return data

    def read_all(self, limit: int) -> bytes:
        """The whole, at most `limit` bytes of it. Raises ConnectionBroken."""
        parts = bytearray()
        while len(parts) < limit and (data := self.read(min(65536, limit - len(parts)))):
            parts += data
        return bytes(parts)

    def close(self) -> None:
        """Let go of the connection. Safe to call twice."""
        self._response.close()


class WebClient:
    """Makes the requests of one source: http and https, certificates verified, at most 10 redirects.

    `abort`, from any thread, ends whatever is waited for and refuses what would follow. Proxies are those of the
    environment. can_wait: the user's command has --wait, which is then the advice where waiting may help.
    """

    def __init__(self, *, timeout_s: float = TIMEOUT_S, can_wait: bool = False) -> None:
        self.timeout_s = timeout_s
        self._can_wait = can_wait
        self._aborted = threading.Event()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._opener = make_opener(self.adopt)

    @property
    def aborted(self) -> bool:
        """Whether `abort` was called."""
        return self._aborted.is_set()

    def get(self, address: str, *, offset: int = 0) -> WebResponse:
        """Ask for an address, from byte `offset` on. Raises AddressError and Aborted."""
        target = _parse(address)
        request = urllib.request.Request(target.url, headers=_HEADERS)
        if offset:
            request.add_header("Range", f"bytes={offset}-")
        if target.authorization is not None:
            request.add_unredirected_header("Authorization", target.authorization)  # not for another host to see
        try:
            response = self._opener.open(request, timeout=self.timeout_s)
            try:
                return WebResponse(response)
            except ConnectionBroken:
                response.close()
                raise
        except urllib.error.HTTPError as error:
            error.close()
            raise self._refusal(address, error.code, error.reason) from None
        except (OSError, http.client.HTTPException, ConnectionBroken, ValueError) as error:
            if self.aborted:
                raise Aborted from error
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if not isinstance(reason, BaseException):
                raise AddressError(f"Cannot open {shown(address)}: {reason}.", transient=False) from error
            advice = "Check the address, or give --wait to wait for it." if self._can_wait else "Check the address."
            raise AddressError(
                f"Cannot reach {shown(address)}: {_explain(reason)}. {advice}",
                transient=not isinstance(reason, ssl.SSLCertVerificationError),
            ) from error

    def _refusal(self, address: str, code: int, reason: str) -> AddressError:
        answer = f"{shown(address)} gives no audio: the server answers {code} {reason}".rstrip()
        if code in (401, 403):
            advice = "It wants a login: http://user:password@host/…"
        elif code in _TRANSIENT:
            advice = "Try again later, or give --wait." if self._can_wait else "Try again later."
        else:
            advice = "Check the address."
        return AddressError(f"{answer}. {advice}", transient=code in _TRANSIENT)

    def pause(self, seconds: float) -> None:
        """Wait so long. Raises Aborted as soon as `abort` is called."""
        if self._aborted.wait(seconds):
            raise Aborted

    def abort(self) -> None:
        """End everything, also what blocks. From any thread."""
        with self._lock:
            self._aborted.set()
            sockets = list(self._sockets)
        for each in sockets:
            _shut(each)

    def adopt(self, connected: socket.socket) -> None:
        """A connection of ours was made: `abort` shall end it."""
        with self._lock:
            self._sockets.add(connected)
            aborted = self.aborted
        if aborted:
            _shut(connected)


def _parse(address: str) -> _Target:
    """Split off user and password, percent-encode the rest. Raises AddressError."""
    try:
        parts = urllib.parse.urlsplit(address)
        host, port = parts.hostname, parts.port
        if parts.scheme.lower() not in ("http", "https"):
            raise AddressError(
                f"{shown(address)} cannot be opened, expected an address that starts with http:// or https://.",
                transient=False,
            )
        if not host or any(character <= " " for character in address):
            raise ValueError("expected http://host/path")
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError as error:
        raise AddressError(f"{address!r} is no address: {error}.", transient=False) from error
    netloc = f"[{name}]" if ":" in name else name
    netloc += "" if port is None else f":{port}"
    path, query = (urllib.parse.quote(part, safe=_SAFE) for part in (parts.path, parts.query))
    authorization = None
    if parts.username is not None:
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(login.encode()).decode("ascii")
    url = urllib.parse.urlunsplit((parts.scheme.lower(), netloc, path or "/", query, ""))
    return _Target(url, authorization)


def _explain(error: BaseException) -> str:
    """Why a connection failed, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error})"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, socket.gaierror):
        return "its host name is not known"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection was lost"
    if isinstance(error, http.client.BadStatusLine | http.client.LineTooLong):
        return "it does not speak HTTP"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None


def _shut(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may be closed already
        # The base class's own: an SSLSocket's `shutdown` would take the TLS state away from the thread that reads.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
