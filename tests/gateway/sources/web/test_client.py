from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codec.audio.web.client import Aborted, WebClient, is_address, shown
from codec.errors import AddressError
from gateway.sources.web.stream import NetworkSource
from tests.certificates import self_signed
from tests.gateway.sources.web_server import RATE, WebServer, file_of, radio_of, wav_bytes


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of 127.0.0.1, signed by itself, with its key in the same file."""
    files = self_signed(tmp_path, "127.0.0.1")
    path = tmp_path / "server.pem"
    path.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    return path


@pytest.fixture
def secure(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with WebServer(context) as server:
        server.routes["/talk.wav"] = file_of(wav_bytes(1.0), content_type="audio/wav")
        yield server


def test_a_certificate_that_nobody_vouches_for_is_refused(secure: WebServer) -> None:
    with pytest.raises(AddressError, match=r"its certificate is not accepted \(.*self.signed") as refused:
        NetworkSource(secure.url("/talk.wav"), sample_rate=RATE).__enter__()
    assert not refused.value.transient


def test_a_certificate_of_a_known_authority_is_accepted(
    secure: WebServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with NetworkSource(secure.url("/talk.wav"), sample_rate=RATE) as source:
        assert sum(block.samples.size for block in source.blocks(threading.Event())) == RATE


def test_a_radio_over_tls_that_says_nothing_is_closed_at_once(
    secure: WebServer, certificate: Path, monkeypatch: pytest.MonkeyPatch, mp3: bytes
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    stall = threading.Event()
    secure.routes["/live"] = radio_of(mp3, bytes_per_s=8000, burst=16_000, stall=stall)
    with NetworkSource(secure.url("/live"), sample_rate=RATE) as source:
        stall.set()
        time.sleep(0.1)
        begun = time.monotonic()
    assert time.monotonic() - begun < 1.0
    assert not source._thread.is_alive()


def test_an_aborted_client_asks_nobody_any_more(web: WebServer) -> None:
    client = WebClient()
    client.abort()
    with pytest.raises(Aborted):
        client.get(web.url("/talk.mp3"))
    with pytest.raises(Aborted):
        client.pause(10.0)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("https://anna:secret@host:81/a/b.mp3?token=x#y", "https://host:81/a/b.mp3?…"),
        ("http://host/live", "http://host/live"),
    ],
)
def test_what_is_secret_in_an_address_is_not_shown(address: str, text: str) -> None:
    assert shown(address) == text


@pytest.mark.parametrize("address", ["http://", "http://a b/", "http://host:99999/", "http://[1/", "http://\u2603.\0/"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(AddressError, match="is no address"):
        WebClient().get(address)


def test_a_name_in_any_script_is_asked_for_as_the_web_writes_it(web: WebServer) -> None:
    web.routes["/%C3%A9%E6%97%A5.wav"] = file_of(wav_bytes(0.2), content_type="audio/wav")
    with NetworkSource(web.url("/é日.wav"), sample_rate=RATE) as source:
        assert any(block.samples.size for block in source.blocks(threading.Event()))


def test_what_has_a_scheme_is_an_address() -> None:
    assert is_address("HTTP://host")
    assert not is_address("C:\\talk.wav")
    assert not is_address("talk://"[:4])
