"""Recordings behind addresses: fetched whole, bounded, or refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codec.audio.inputs import open_input
from codec.audio.web.fetch import FetchLimits, fetch
from codec.audio.web.recorded import Patience
from codec.errors import AddressError, AudioFileError, OutputFileError
from tests.gateway.sources.web_server import Request, WebServer, body_of, file_of, radio_of, tone, wav_bytes

QUICK = FetchLimits(patience=Patience(timeout_s=0.3, give_up_s=0.5, first_retry_s=0.01, max_retry_s=0.02))


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with WebServer() as server:
        yield server


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is fetched to; every test leaves it empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_a_recording_is_read_and_leaves_nothing_behind(web: WebServer, temporary: Path) -> None:
    web.routes["/talk.wav"] = body_of(wav_bytes(1.0, rate=44100), "audio/wav")
    with open_input(web.url("/talk.wav?token=secret"), 16000) as reader:
        assert list(temporary.iterdir()) == []
        heard = np.concatenate(list(reader))
    np.testing.assert_allclose(heard[100:-100], tone(1.0)[100:-100], atol=1e-3)
    assert reader.name == web.url("/talk.wav") + "?…"


def test_a_connection_that_breaks_is_taken_up_where_it_was(web: WebServer) -> None:
    data = wav_bytes(2.0)
    web.routes["/talk.wav"] = file_of(data, content_type="audio/wav", breaks_at=[30_000])
    path = fetch(web.url("/talk.wav"), limits=QUICK)
    assert path.read_bytes() == data
    assert web.asked("/talk.wav") == 2
    path.unlink()


def _redirect(target: str) -> Callable[[Request], None]:
    return lambda request: request.head(302, Location=target, Content_Length=0)


@pytest.mark.parametrize(
    ("route", "words", "transient"),
    [
        (None, "gives no audio: the server answers 404", False),
        (lambda request: request.send_error(503), "answers 503 .* Try again later.$", True),
        (lambda request: request.send_error(403), r"It wants a login: http://user:password@host/", False),
        (body_of(b"<html>", "text/html"), "is no audio but text/html", False),
        (body_of(b"", "audio/wav"), "sends not one byte", False),
        (radio_of(b"x" * 1000, bytes_per_s=8000), "is a radio, which has no end", False),
        (body_of(b"x" * 5000, "audio/wav"), "is longer than 4000 bytes", False),
        (_redirect("file:///etc/passwd"), "Redirection to url .* is not allowed", False),
        (file_of(b"x" * 3000, breaks_at=[100] * 10_000, ranges=False), "broke off after", True),
    ],
)
def test_an_address_without_a_recording_is_refused(
    web: WebServer, temporary: Path, route: Callable[[Request], None] | None, words: str, transient: bool
) -> None:
    if route is not None:
        web.routes["/x"] = route
    limits = FetchLimits(max_bytes=4000, patience=QUICK.patience)
    with pytest.raises(AddressError, match=words) as caught:
        fetch(web.url("/x"), limits=limits)
    assert (caught.value.exit_code, caught.value.transient) == (66, transient)
    assert list(temporary.iterdir()) == []


def test_a_recording_without_a_length_is_bounded_too(web: WebServer, temporary: Path) -> None:
    def endless(request: Request) -> None:
        request.head(Content_Type="audio/wav")
        while not request.stopping.is_set():
            request.wfile.write(b"x" * 1000)

    web.routes["/x"] = endless
    with pytest.raises(AddressError, match="is longer than 4000 bytes: fetch it yourself"):
        fetch(web.url("/x"), limits=FetchLimits(max_bytes=4000, patience=QUICK.patience))
    assert list(temporary.iterdir()) == []


def test_a_recording_that_trickles_is_given_up(web: WebServer, temporary: Path) -> None:
    web.routes["/x"] = body_of(wav_bytes(0.5), "audio/wav")
    clock = iter([0.0, *[1000.0] * 100])
    with pytest.raises(AddressError, match="was not fetched within 500 s"):
        fetch(web.url("/x"), limits=FetchLimits(max_s=500), clock=lambda: next(clock))
    assert list(temporary.iterdir()) == []


def test_no_room_for_it_is_said(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    web.routes["/x"] = body_of(wav_bytes(0.5), "audio/wav")

    def full(*arguments: Any, **options: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    with pytest.raises(OutputFileError, match=r"No room for .* among the temporary files: No space left"):
        fetch(web.url("/x"))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ftp://host/talk.wav", "expected an address that starts with http"),
        ("http://127.0.0.1:9/talk.wav", "nothing listens there. Check the address.$"),
        ("http://anna:secret@127.0.0.1:9/talk.wav?token=x", r"Cannot reach http://127.0.0.1:9/talk.wav\?…:"),
    ],
)
def test_an_address_that_cannot_be_opened_is_said_without_its_secrets(
    address: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    started = time.monotonic()
    with pytest.raises(AddressError, match=words):
        open_input(address, 16000)
    assert time.monotonic() - started < 5


def test_what_is_fetched_and_is_no_sound_is_named_by_its_address(web: WebServer) -> None:
    web.routes["/talk.wav"] = body_of(b"no sound at all" * 10, "audio/wav")
    with pytest.raises(AudioFileError, match=r"Unsupported file type .*http://127.0.0.1:\d+/talk.wav"):
        open_input(web.url("/talk.wav"), 16000)
