"""urllib put together for sound: http and https, and nothing else; every connection is told of when it is made."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.request
from collections.abc import Callable
from typing import Any

__all__ = ["make_opener"]

OnConnect = Callable[[socket.socket], None]


def make_opener(on_connect: OnConnect) -> urllib.request.OpenerDirector:
    """Opens http and https: certificates verified, at most 10 redirects, the proxies of the environment.

    on_connect: gets every socket as soon as it is connected, and may close it.
    """
    opener = urllib.request.OpenerDirector()
    # Named one by one: build_opener would also add ftp, file and data.
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _RedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        _HttpHandler(on_connect),
        _HttpsHandler(on_connect),
    ):
        opener.add_handler(handler)
    return opener


class _RadioResponse(http.client.HTTPResponse):
    """Shoutcast 1 answers `ICY 200 OK`, which is HTTP/1.0 by another name."""

    def _read_status(self) -> tuple[str, int, str]:
        if self.fp.peek(4)[:4] != b"ICY ":
            return super()._read_status()  # type: ignore[misc,no-any-return]  # not in the stubs
        words = self.fp.readline(65537).decode("latin-1").split(None, 2)
        if len(words) < 2 or not words[1].isdigit():
            raise http.client.BadStatusLine(" ".join(words))
        return "HTTP/1.0", int(words[1]), words[2].strip() if len(words) > 2 else ""


class _RedirectHandler(urllib.request.HTTPRedirectHandler):
    """Lets go of the response as well where it leads to what is no address at all."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except ValueError:
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class _HttpHandler(urllib.request.HTTPHandler):
    def __init__(self, on_connect: OnConnect) -> None:
        super().__init__()
        self._on_connect = on_connect

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        on_connect = self._on_connect

        class Connection(http.client.HTTPConnection):
            response_class = _RadioResponse

            def connect(self) -> None:
                super().connect()
                on_connect(self.sock)

        return self.do_open(Connection, req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, on_connect: OnConnect) -> None:
        super().__init__()
        self._on_connect = on_connect

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        on_connect = self._on_connect

        class Connection(http.client.HTTPSConnection):
            response_class = _RadioResponse

            def connect(self) -> None:
                super().connect()
                on_connect(self.sock)

        return self.do_open(Connection, req, context=ssl.create_default_context())
