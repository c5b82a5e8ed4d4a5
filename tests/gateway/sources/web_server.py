"""A web server of our own for the tests: files, radios, and everything that can go wrong with them."""

from __future__ import annotations

import io
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
import soundfile

RATE = 16000

Route = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request, on a thread of its own."""

    protocol_version = "HTTP/1.1"
    server: WebServer

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers.items())))
        route = self.server.routes.get(self.path.partition("?")[0])
        with suppress(ConnectionError, TimeoutError):  # the other end may leave at any time
            if route is None:
                self.send_error(404)
            else:
                route(self)
        self.close_connection = True

    def head(self, status: int = 200, /, **headers: object) -> None:
        """Status line and headers; `Content_Length=5` is Content-Length: 5."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Connection", "close")
        self.end_headers()

    @property
    def offset(self) -> int:
        """First byte of the range that is asked for."""
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))

    @property
    def stopping(self) -> threading.Event:
        return self.server.stopping

    def log_message(self, *parts: Any) -> None:
        pass


class WebServer(ThreadingHTTPServer):
    """`with WebServer() as server: server.routes["/talk.mp3"] = file_of(data)`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.routes: dict[str, Route] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="web-server", daemon=True)

    def url(self, path: str) -> str:
        return f"{self._scheme}://127.0.0.1:{self.server_port}{path}"

    def asked(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(asked == path for asked, _ in self.requests)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


def body_of(data: bytes, content_type: str) -> Route:
    """An answer of known length."""

    def route(request: Request) -> None:
        request.head(Content_Type=content_type, Content_Length=len(data))
        request.wfile.write(data)

    return route


def file_of(
    data: bytes,
    *,
    content_type: str = "audio/mpeg",
    ranges: bool = True,
    breaks_at: list[int] | None = None,
    etags: list[str] | None = None,
) -> Route:
    """A file. breaks_at: where the first, the second … connection is cut. etags: of the answers in turn."""
    cuts = list(breaks_at or [])
    tags = list(etags or [])

    def route(request: Request) -> None:
        offset = request.offset if ranges else 0
        more: dict[str, object] = {"ETag": tags.pop(0)} if tags else {}
        if offset:
            span = f"bytes {offset}-{len(data) - 1}/{len(data)}"
            request.head(206, Content_Type=content_type, Content_Length=len(data) - offset, Content_Range=span, **more)
        else:
            if ranges:
                more["Accept_Ranges"] = "bytes"
            request.head(Content_Type=content_type, Content_Length=len(data), **more)
        end = cuts.pop(0) if cuts else len(data)
        request.wfile.write(data[offset:end])

    return route


def radio_of(
    data: bytes,
    *,
    bytes_per_s: float,
    burst: int = 0,
    metaint: int = 0,
    titles: list[str] | None = None,
    stall: threading.Event | None = None,
    dies_after: int | None = None,
    status_line: bytes | None = None,
    content_type: str = "audio/mpeg",
) -> Route:
    """An endless radio that repeats `data`: a burst first, then at its pace.

    metaint: bytes between titles. stall: sends nothing while it is set. dies_after: hangs up after so many bytes.
    status_line: instead of HTTP's own.
    """

    def route(request: Request) -> None:
        texts = list(titles or [])
        if status_line is not None:
            request.wfile.write(status_line + f"icy-metaint:{metaint}\r\nicy-name:Old\r\n\r\n".encode())
        else:
            more = {"icy_metaint": metaint} if metaint else {}
            request.head(Content_Type=content_type, icy_name="Radio Eins", icy_br=64, **more)
        begun, sent, position, until_title = time.monotonic(), 0, 0, metaint
        while not request.stopping.is_set() and (dies_after is None or sent < dies_after):
            if stall is not None and stall.is_set():
                time.sleep(0.02)
                begun += 0.02
                continue
            due = burst + (time.monotonic() - begun) * bytes_per_s - sent
            if due < 1:
                time.sleep(0.02)
                continue
            part = data[position : position + min(int(due), 4096, until_title if metaint else 4096)]
            request.wfile.write(part)
            sent += len(part)
            position = (position + len(part)) % len(data)
            until_title -= len(part)
            if metaint and until_title == 0:
                until_title = metaint
                text = f"StreamTitle='{texts.pop(0)}';".encode() if texts else b""
                units = -(-len(text) // 16)
                request.wfile.write(bytes([units]) + text.ljust(units * 16, b"\0"))

    return route


def tone(seconds: float, *, frequency: float = 440.0, rate: int = RATE) -> np.ndarray[Any, np.dtype[np.float32]]:
    times = np.arange(int(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def wav_bytes(seconds: float, *, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tone(seconds, rate=rate), rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def encoded(seconds: float, *, container: str, codec: str, bit_rate: int = 64_000, rate: int = 44_100) -> bytes:
    """A tone through FFmpeg: `container="mp3", codec="libmp3lame"`, `"mpegts", "aac"`, `"ipod", "aac"` …"""
    file = io.BytesIO()
    with av.open(file, mode="w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = bit_rate
        stream.layout = "mono"
        samples = tone(seconds, rate=rate)
        size = stream.codec_context.frame_size or 1024
        for start in range(0, len(samples) - size + 1, size):
            frame = av.AudioFrame.from_ndarray(samples[np.newaxis, start : start + size], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()
