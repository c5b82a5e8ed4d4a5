from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from codec.audio.web.recorded import Patience
from codec.errors import AddressError
from gateway.errors import SourceError
from gateway.sources.web import stream as network
from gateway.sources.web.stream import NetworkSource, PlayListFound
from tests.gateway.sources.web_server import RATE, Request, WebServer, body_of, encoded, file_of, radio_of, wav_bytes

HURRIED = Patience(timeout_s=1.0, give_up_s=1.0, first_retry_s=0.05, max_retry_s=0.1)
Collect = Callable[..., "Listener"]


class Listener:
    """Takes a source's blocks on a thread of its own, as the encoder worker does."""

    def __init__(self, source: NetworkSource) -> None:
        self.source = source
        self.samples = 0
        self.blocks: list[np.ndarray] = []
        self.error: BaseException | None = None
        self.stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        try:
            for block in self.source.blocks(self.stop):
                if block.samples.size:
                    self.blocks.append(block.samples)
                    self.samples += block.samples.size
        except BaseException as error:
            self.error = error

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, (self.samples, self.error)
            time.sleep(0.01)

    def end(self) -> None:
        self.stop.set()
        self._thread.join(5.0)
        assert not self._thread.is_alive()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()


@pytest.fixture
def listen() -> Iterator[Callable[[NetworkSource], Listener]]:
    listeners: list[Listener] = []

    def start(source: NetworkSource) -> Listener:
        listeners.append(Listener(source))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.end()


def never_answers(request: Request) -> None:
    request.stopping.wait(30)


def source_of(web: WebServer, path: str, **more: object) -> NetworkSource:
    return NetworkSource(web.url(path), sample_rate=RATE, patience=HURRIED, **more)  # type: ignore[arg-type]


def read(source: NetworkSource) -> np.ndarray:
    with source:
        return np.concatenate([block.samples for block in source.blocks(threading.Event())])


def pitch(samples: np.ndarray) -> float:
    """The strongest frequency, Hz."""
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * RATE / samples.size)


# -- files


@pytest.mark.parametrize(
    ("container", "codec", "kind"),
    [("mp3", "libmp3lame", "audio/mpeg"), ("adts", "aac", "audio/aac"), ("ipod", "aac", "audio/mp4")],
)
def test_a_file_behind_an_address_is_read_to_its_end(web: WebServer, container: str, codec: str, kind: str) -> None:
    web.routes["/talk"] = file_of(encoded(3.0, container=container, codec=codec), content_type=kind)
    source = source_of(web, "/talk")
    samples = read(source)
    assert samples.size == pytest.approx(3 * RATE, abs=0.1 * RATE)
    assert pitch(samples) == pytest.approx(440, abs=2)
    assert source.description == f"file {web.url('/talk')}"
    assert source.live is False


def test_a_connection_that_breaks_is_taken_up_at_the_byte_it_had_come_to(web: WebServer) -> None:
    data = wav_bytes(3.0)
    web.routes["/talk.wav"] = file_of(data, content_type="audio/wav", breaks_at=[20_000, 40_001, 60_000])
    source = source_of(web, "/talk.wav")
    samples = read(source)
    assert samples.size == 3 * RATE
    np.testing.assert_allclose(samples, 0.3 * np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE), atol=1e-3)
    assert source.counters["input_reconnects"] >= 2
    assert "bytes=60000-" in [headers.get("Range") for _, headers in web.requests]


def test_a_server_without_ranges_is_read_again_from_the_start(web: WebServer) -> None:
    web.routes["/talk.wav"] = file_of(wav_bytes(2.0), content_type="audio/wav", ranges=False, breaks_at=[30_000])
    assert read(source_of(web, "/talk.wav")).size == 2 * RATE


def test_a_file_that_changes_while_it_is_read_is_no_longer_the_same(web: WebServer) -> None:
    web.routes["/talk.wav"] = file_of(wav_bytes(2.0), breaks_at=[30_000], etags=['"one"', '"two"'])
    with pytest.raises(AddressError, match="changed while it was read"):
        read(source_of(web, "/talk.wav"))


def test_a_server_that_dies_half_way_is_said_after_the_patience(web: WebServer) -> None:
    data = wav_bytes(2.0)

    def dies(request: Request) -> None:
        if request.offset or web.asked("/talk.wav") > 1:
            request.send_error(503)
        else:
            file_of(data, breaks_at=[30_000])(request)

    web.routes["/talk.wav"] = dies
    with pytest.raises(AddressError, match=r"broke off after 30000 bytes: .*503"):
        read(source_of(web, "/talk.wav"))
    assert web.asked("/talk.wav") > 3


def test_a_file_is_never_fetched_far_ahead_of_its_time(web: WebServer) -> None:
    web.routes["/talk.wav"] = file_of(wav_bytes(60.0), content_type="audio/wav")
    with source_of(web, "/talk.wav") as source:
        buffer = source._buffer
        deadline = time.monotonic() + 10
        while buffer.held < network.PREFETCH_S * RATE:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.1)
        assert buffer.held < (network.PREFETCH_S + 1) * RATE
        assert source.overflows == 0


def test_a_looped_file_is_fetched_again(web: WebServer, listen: Collect) -> None:
    web.routes["/talk.wav"] = file_of(wav_bytes(0.5), content_type="audio/wav")
    with source_of(web, "/talk.wav", loop=True) as source:
        listener = listen(source)
        listener.wait_for(lambda: listener.samples > 3 * RATE)
        listener.end()


def test_a_redirect_is_followed_and_a_login_is_not_shown_to_another_host(web: WebServer, mp3: bytes) -> None:
    def moved(request: Request) -> None:
        request.head(302, Location=f"http://localhost:{web.server_port}/there.mp3", Content_Length=0)

    web.routes["/here"] = moved
    web.routes["/there.mp3"] = file_of(mp3)
    address = web.url("/here").replace("http://", "http://anna:s%20ecret@")
    source = NetworkSource(address, sample_rate=RATE, patience=HURRIED)
    assert read(source).size > 3 * RATE
    assert "secret" not in source.description
    (_, first), (_, second) = web.requests
    assert first["Authorization"] == "Basic YW5uYTpzIGVjcmV0"
    assert "Authorization" not in second


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "concat:a|b", "http://[::bad/"])
def test_a_redirect_leads_nowhere_but_to_http(web: WebServer, target: str) -> None:
    web.routes["/here"] = lambda request: request.head(302, Location=target, Content_Length=0)
    with pytest.raises(AddressError, match=r"Cannot|gives no audio|no address"):
        source_of(web, "/here").__enter__()


def test_redirects_in_a_circle_come_to_an_end(web: WebServer) -> None:
    web.routes["/a"] = lambda request: request.head(302, Location="/a", Content_Length=0)
    with pytest.raises(AddressError, match="gives no audio"):
        source_of(web, "/a").__enter__()


# -- what is no audio


@pytest.mark.parametrize(
    ("status", "advice"), [(404, "Check the address"), (401, "wants a login"), (403, "wants a login"), (503, "--wait")]
)
def test_what_the_server_refuses_is_said_with_what_to_do(web: WebServer, status: int, advice: str) -> None:
    web.routes["/talk.mp3"] = lambda request: request.send_error(status)
    with pytest.raises(AddressError, match=rf"the server answers {status} .*{advice}"):
        source_of(web, "/talk.mp3").__enter__()


def test_a_web_page_is_no_audio(web: WebServer) -> None:
    web.routes["/"] = body_of(b"<html>listen here</html>", "text/html; charset=utf-8")
    with pytest.raises(AddressError, match=r"is no audio but text/html, expected sound or a play list"):
        source_of(web, "/").__enter__()


@pytest.mark.parametrize("data", [b"", b"this is no audio at all" * 99, b"\xff\xfb" + bytes(3000)])
def test_bytes_that_are_no_audio_are_refused_when_it_is_opened(web: WebServer, data: bytes) -> None:
    web.routes["/talk.mp3"] = file_of(data)
    with pytest.raises((AddressError, SourceError), match="No audio at"):
        source_of(web, "/talk.mp3").__enter__()


def test_nobody_listening_is_said_at_once() -> None:
    with WebServer() as gone:
        address = gone.url("/talk.mp3")
    with pytest.raises(AddressError, match=r"Cannot reach http://127\.0\.0\.1:\d+/talk\.mp3: nothing listens there"):
        NetworkSource(address, sample_rate=RATE, patience=HURRIED).__enter__()


def test_a_server_that_never_answers_is_given_up_in_time(web: WebServer) -> None:
    web.routes["/talk.mp3"] = never_answers
    begun = time.monotonic()
    with pytest.raises(AddressError, match="does not answer in time"):
        source_of(web, "/talk.mp3").__enter__()
    assert time.monotonic() - begun < 5


def test_a_stop_is_heard_while_a_server_lets_wait(web: WebServer) -> None:
    web.routes["/talk.mp3"] = never_answers
    stop = threading.Event()
    timer = threading.Timer(0.1, stop.set)
    timer.start()
    patient = Patience(timeout_s=30.0)
    begun = time.monotonic()
    with NetworkSource(web.url("/talk.mp3"), sample_rate=RATE, stop=stop, patience=patient) as source:
        assert list(source.blocks(stop)) == []
    assert time.monotonic() - begun < 3
    timer.join()
    assert not source._thread.is_alive()


def test_with_wait_an_address_that_comes_later_is_heard(web: WebServer, mp3: bytes, listen: Collect) -> None:
    with source_of(web, "/talk.mp3", wait=True) as source:
        listener = listen(source)
        listener.wait_for(lambda: web.asked("/talk.mp3") >= 2)
        web.routes["/talk.mp3"] = file_of(mp3)
        listener.wait_for(lambda: listener.ended)
        assert listener.error is None
        assert listener.samples > 3 * RATE


def test_a_play_list_behind_an_address_is_handed_up(web: WebServer) -> None:
    web.routes["/radio.pls"] = body_of(b"[playlist]\nFile1=http://one/a\nFile2=/b\n", "audio/x-scpls")
    with pytest.raises(PlayListFound) as found:
        source_of(web, "/radio.pls").__enter__()
    assert found.value.targets == ["http://one/a", web.url("/b")]


# -- radios


def test_a_radio_is_heard_with_its_titles(web: WebServer, mp3: bytes, listen: Collect) -> None:
    titles = ["", "", "Zoë, Çay"]
    web.routes["/live"] = radio_of(mp3, bytes_per_s=8000, burst=24_000, metaint=4096, titles=titles)
    with source_of(web, "/live") as source:
        listener = listen(source)
        listener.wait_for(lambda: listener.samples > 2 * RATE and source.title is not None)
        listener.end()
        assert source.description == f"radio Radio Eins at {web.url('/live')}"
        assert source.title == "Zoë, Çay"
        assert source.counters["input_damaged_packets"] <= 1
    assert pitch(np.concatenate(listener.blocks)) == pytest.approx(440, abs=2)


def test_an_old_shoutcast_server_is_understood(web: WebServer, mp3: bytes, listen: Collect) -> None:
    web.routes["/"] = radio_of(mp3, bytes_per_s=8000, burst=24_000, metaint=1000, status_line=b"ICY 200 OK\r\n")
    with source_of(web, "/") as source:
        listener = listen(source)
        listener.wait_for(lambda: listener.samples > RATE)
        listener.end()
        assert source.description.startswith("radio Old at ")


def test_the_burst_of_a_radio_is_bounded_and_what_nobody_wanted_yet_is_not_lost(
    web: WebServer, mp3: bytes, listen: Collect
) -> None:
    web.routes["/live"] = radio_of(mp3, bytes_per_s=8000, burst=200_000)  # 25 s
    with source_of(web, "/live") as source:
        deadline = time.monotonic() + 10
        while source._buffer.held < 9.8 * RATE:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert source._buffer.held <= network.PREFETCH_S * RATE
        assert source.overflows == 0
        listener = listen(source)
        listener.wait_for(lambda: listener.samples > RATE)
        listener.end()


def test_a_radio_that_is_not_taken_in_time_drops_its_oldest_and_counts(web: WebServer, mp3: bytes) -> None:
    web.routes["/live"] = radio_of(mp3, bytes_per_s=400_000, burst=8000)
    stop = threading.Event()
    with source_of(web, "/live") as source:
        blocks = source.blocks(stop)
        next(blocks)
        deadline = time.monotonic() + 10
        while source.overflows == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert source._buffer.held <= network.PREFETCH_S * RATE
        assert source.counters["input_dropped_ms"] > 0
        stop.set()


def test_a_radio_that_dies_is_connected_again(web: WebServer, mp3: bytes, listen: Collect) -> None:
    web.routes["/live"] = radio_of(mp3, bytes_per_s=8000, burst=24_000, dies_after=30_000)
    patience = Patience(timeout_s=2.0, give_up_s=20.0, first_retry_s=0.05, max_retry_s=0.1)
    with NetworkSource(web.url("/live"), sample_rate=RATE, patience=patience) as source:
        listener = listen(source)
        listener.wait_for(lambda: source.counters["input_reconnects"] >= 2 and listener.samples > 6 * RATE)
        listener.end()


def test_a_radio_that_stays_away_ends_with_a_sentence(web: WebServer, mp3: bytes, listen: Collect) -> None:
    radio = radio_of(mp3, bytes_per_s=8000, burst=24_000, dies_after=24_000)
    web.routes["/live"] = lambda request: radio(request) if web.asked("/live") == 1 else request.send_error(404)
    with source_of(web, "/live") as source:
        listener = listen(source)
        listener.wait_for(lambda: listener.ended)
        assert isinstance(listener.error, AddressError)
        assert "404" in str(listener.error)
        assert listener.samples > RATE


def test_a_radio_that_falls_silent_gives_empty_blocks_and_begins_anew_with_a_cushion(
    web: WebServer, mp3: bytes, listen: Collect
) -> None:
    stall = threading.Event()
    web.routes["/live"] = radio_of(mp3, bytes_per_s=8000, burst=12_000, stall=stall)
    patience = Patience(timeout_s=10.0)
    stop = threading.Event()
    with NetworkSource(web.url("/live"), sample_rate=RATE, patience=patience) as source:
        blocks = source.blocks(stop)
        while not next(blocks).samples.size:
            pass
        stall.set()
        while next(blocks).samples.size:
            pass
        begun = time.monotonic()
        stall.clear()
        while not next(blocks).samples.size:
            pass
        assert time.monotonic() - begun > 0.7 * network.PRIME_S
        assert source._buffer.held > 0.7 * network.PRIME_S * RATE
        stop.set()


def test_an_endless_stream_that_does_not_say_it_is_live_can_be_called_so(
    web: WebServer, mp3: bytes, listen: Collect
) -> None:
    def endless(request: Request) -> None:
        request.head(Content_Type="audio/mpeg")
        while not request.stopping.wait(0.05):
            request.wfile.write(mp3[:4000])

    web.routes["/live"] = endless
    with source_of(web, "/live", live_content=True) as source:
        listener = listen(source)
        listener.wait_for(lambda: listener.samples > RATE)
        listener.end()
        assert source.description.startswith("radio ")


def test_closing_a_radio_that_says_nothing_takes_no_time(web: WebServer, mp3: bytes) -> None:
    stall = threading.Event()
    web.routes["/live"] = radio_of(mp3, bytes_per_s=8000, burst=16_000, stall=stall)
    with NetworkSource(web.url("/live"), sample_rate=RATE) as source:
        stall.set()
        time.sleep(0.1)
        begun = time.monotonic()
    assert time.monotonic() - begun < 1.0
    assert not source._thread.is_alive()


def test_a_reconnect_is_said_once_not_on_every_attempt(
    web: WebServer, mp3: bytes, listen: Collect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with source_of(web, "/talk.mp3", wait=True) as source:
        listener = listen(source)
        listener.wait_for(lambda: web.asked("/talk.mp3") >= 4)
        listener.end()
    assert len([record for record in caplog.records if "Trying again" in record.message]) == 1


# -- HTTP Live Streaming


def test_a_recording_in_pieces_is_put_together(web: WebServer) -> None:
    pieces = [encoded(2.0, container="mpegts", codec="aac") for _ in range(3)]
    for number, piece in enumerate(pieces):
        web.routes[f"/talk/{number}.ts"] = body_of(piece, "video/mp2t")
    media = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n" + "".join(f"#EXTINF:2,\n{n}.ts\n" for n in range(3)) + "#EXT-X-ENDLIST"
    variants = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=90000,CODECS="mp4a"\nmedia.m3u8\n'
    web.routes["/talk/index.m3u8"] = body_of(variants.encode(), "application/vnd.apple.mpegurl")
    web.routes["/talk/media.m3u8"] = body_of(media.encode(), "application/vnd.apple.mpegurl")
    source = source_of(web, "/talk/index.m3u8")
    samples = read(source)
    assert samples.size == pytest.approx(6 * RATE, abs=0.5 * RATE)
    assert pitch(samples) == pytest.approx(440, abs=2)
    assert source.description.startswith("file ")


def test_a_live_stream_in_pieces_starts_at_its_edge_and_follows_it(web: WebServer, listen: Collect) -> None:
    piece = encoded(1.0, container="mpegts", codec="aac")
    begun = time.monotonic()

    def media(request: Request) -> None:
        newest = 100 + int(time.monotonic() - begun)
        lines = "".join(f"#EXTINF:1,\n{number}.ts\n" for number in range(newest - 9, newest + 1))
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{newest - 9}\n{lines}"
        body_of(text.encode(), "application/vnd.apple.mpegurl")(request)

    web.routes["/live.m3u8"] = media
    for number in range(80, 130):
        web.routes[f"/{number}.ts"] = body_of(piece, "video/mp2t")
    with source_of(web, "/live.m3u8") as source:
        listener = listen(source)
        listener.wait_for(lambda: listener.samples > 4 * RATE)
        listener.end()
    asked = [path for path, _ in web.requests if path.endswith(".ts")]
    numbers = [int(path[1:-3]) for path in asked]
    assert numbers[0] in (98, 99)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
