"""The blind comparison over real HTTP: what a browser gets, what is kept, and what is refused."""

from __future__ import annotations

import http.client
import io
import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile

from benchmarks.listening import server as server_module
from benchmarks.listening.album import Contents
from benchmarks.listening.answers import AnswersFile, read_answers
from benchmarks.listening.server import MAX_SESSIONS, Listening, ListeningServer
from tests.benchmarks.listening.tones import PITCHES, pitch_of

PAIRS = (("fine", "rough"), ("fine", "plain"))
PAGE = Path(server_module.__file__).parent / "page"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Site:
    """A running server as a browser sees it, and the file where answers are kept."""

    port: int
    answers: Path

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """One request; `Content_Type="text/plain"` is a header. Host and Content-Length are as a browser sets them."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, given)
        response = connection.getresponse()
        reply = Reply(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return reply

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, None, **headers)

    def post(self, path: str, value: object, **headers: str) -> Reply:
        return self.ask("POST", path, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def begin(self, listener: str = "") -> tuple[str, list[dict[str, str]]]:
        """Address of a new session, and its trials."""
        begun = self.post("/sessions", {"listener": listener}).json
        return f"/sessions/{begun['session']}", begun["trials"]


@pytest.fixture(scope="module")
def server_and_file(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    answers = tmp_path_factory.mktemp("listening") / "answers.jsonl"
    listening = Listening(tones, Contents.read(tones), AnswersFile(answers), PAIRS, seed=5)
    with ListeningServer(listening, port=0) as server:
        yield Site(server.server_port, answers)


@pytest.fixture
def site(server_and_file: Site) -> Site:
    """One server for all tests, and nothing in its file."""
    server_and_file.answers.write_bytes(b"")
    return server_and_file


def test_the_page_comes_whole_and_may_ask_nobody_else(site: Site) -> None:
    for path, kind in [("/", "text/html"), ("/listen.js", "text/javascript"), ("/listen.css", "text/css")]:
        reply = site.get(path)
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith(kind)
        assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
    for path in ("/listen.js", "/listen.css"):
        assert path in site.get("/").body.decode()


def test_the_page_names_no_other_host() -> None:
    for path in PAGE.iterdir():
        assert not re.search(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]", path.read_text()), path.name


def test_every_element_that_the_script_looks_for_is_on_the_page() -> None:
    script, page = (PAGE / "listen.js").read_text(), (PAGE / "index.html").read_text()
    wanted = set(re.findall(r'find\("([a-z-]+)"\)', script))
    assert wanted
    assert wanted <= set(re.findall(r' id="([a-z-]+)"', page))


def test_a_listener_hears_the_original_and_both_versions_without_being_told_which(site: Site) -> None:
    session, trials = site.begin()
    assert len(trials) == 6
    assert set(trials[0]) == {"id", "clip", "about"}
    heard = set()
    for trial in trials:
        sides = {}
        for side in ("original", "a", "b"):
            reply = site.get(f"{session}/trials/{trial['id']}/{side}.wav")
            assert reply.headers["Content-Type"] == "audio/wav"
            sides[side] = pitch_of(soundfile.read(io.BytesIO(reply.body))[0])
            assert not any(name in repr(reply.headers) for name in ("fine", "plain", "rough"))
        assert sides["original"] == pytest.approx(PITCHES["original"], abs=2)
        heard.add((round(sides["a"], -2), round(sides["b"], -2)))
    assert heard <= {(600, 1200), (1200, 600), (600, 900), (900, 600)}
    assert len(heard) > 2


def test_an_answer_is_kept_with_what_was_heard(site: Site) -> None:
    session, trials = site.begin("Zoë")
    trial = trials[0]
    heard = pitch_of(soundfile.read(io.BytesIO(site.get(f"{session}/trials/{trial['id']}/b.wav").body))[0])
    reply = site.post(f"{session}/trials/{trial['id']}", {"choice": "b", "words": "less hoarse"})
    assert reply.json == {"answered": 1, "trials": 6}
    ((answer,), unread) = read_answers(site.answers)
    assert unread == 0
    assert (answer.listener, answer.clip, answer.choice, answer.words) == ("Zoë", trial["clip"], "b", "less hoarse")
    assert (answer.codec, answer.weights) == ("tones-1", "0123456789abcdef")
    assert answer.preferred == answer.order[1]
    assert PITCHES[answer.order[1]] == pytest.approx(heard, abs=2)


def test_names_come_out_only_with_the_results(site: Site) -> None:
    session, trials = site.begin()
    assert site.get(f"{session}/results").json["rows"] == []
    for trial in trials:
        site.post(f"{session}/trials/{trial['id']}", {"choice": "a"})
    results = site.get(f"{session}/results").json
    assert results["titles"]["fine"] == "Fine"
    assert sum(row["answers"] for row in results["rows"]) == 6


def test_a_trial_is_answered_once_however_fast_it_is_pressed(site: Site) -> None:
    session, trials = site.begin()
    address = f"{session}/trials/{trials[0]['id']}"
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda _: site.post(address, {"choice": "a"}).status, range(4)))
    assert sorted(statuses) == [200, 409, 409, 409]
    assert len(read_answers(site.answers)[0]) == 1


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "/../../../../etc/passwd", "/%2e%2e/answers.py", "/page/index.html", "/index.html"),
        *("/sessions", "/sessions/x/results", "/sessions/x/trials/y/a.wav", "/sessions/../trials/y/a.wav"),
    ],
)
def test_there_is_nothing_at_any_other_address(site: Site, path: str) -> None:
    reply = site.get(path)
    assert reply.status == 404
    assert reply.json["error"]


@pytest.mark.parametrize("file", ["c.wav", "a.ogg", "fine.wav", "..%2foriginal.wav", "wav", "a.wav.wav"])
def test_a_trial_has_three_sounds_and_no_names_of_files(site: Site, file: str) -> None:
    session, trials = site.begin()
    assert site.get(f"{session}/trials/{trials[0]['id']}/{file}").status == 404


def test_a_trial_belongs_to_its_session(site: Site) -> None:
    (_, theirs), (session, _) = site.begin(), site.begin()
    assert site.post(f"{session}/trials/{theirs[0]['id']}", {"choice": "a"}).status == 404
    assert site.answers.read_text() == ""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON"),
        (b"choice=a", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 8000, "no JSON"),
        (b"[]", "JSON object"),
        (b'{"choice": "fine"}', "choice is one of"),
        (b'{"choice": "a", "clip": "other"}', "unknown: clip"),
        (b'{"choice": "a", "words": ["x"]}', "words is text"),
    ],
)
def test_garbage_is_refused_with_words_and_nothing_is_kept(site: Site, body: bytes, words: str) -> None:
    session, trials = site.begin()
    reply = site.ask("POST", f"{session}/trials/{trials[0]['id']}", body, Content_Type="application/json")
    assert reply.status == 400
    assert words in reply.json["error"]
    assert site.answers.read_text() == ""


def test_pages_of_other_sites_are_refused(site: Site) -> None:
    ours = f"127.0.0.1:{site.port}"
    assert site.post("/sessions", {}, Origin=f"http://{ours}").status == 200
    for origin in ("http://evil.example", f"https://{ours}", "null", "http://127.0.0.1:1"):
        reply = site.post("/sessions", {}, Origin=origin)
        assert (reply.status, reply.json["error"]) == (403, "a page of another site may not ask")
    # A form needs nobody's leave to send text.
    assert site.ask("POST", "/sessions", b"{}", Content_Type="text/plain").status == 415
    assert site.ask("POST", "/sessions", b"{}").status == 415


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1", ""])
def test_names_that_only_point_here_are_refused(site: Site, host: str) -> None:
    assert site.get("/", Host=host).status == 403


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1:8377", "[::1]:8377"])
def test_a_tunnel_to_this_machine_is_fine(site: Site, host: str) -> None:
    assert site.get("/", Host=host).status == 200
    assert site.post("/sessions", {}, Host=host, Origin=f"http://{host}").status == 200


@pytest.mark.parametrize(
    ("length", "status"), [("9000", 413), ("99999999999", 413), ("-1", 411), ("two", 411), ("²", 411)]
)
def test_a_body_has_a_length_and_a_small_one(site: Site, length: str, status: int) -> None:
    head = (
        "POST /sessions HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        connection.sendall(head.encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()
    assert answer.startswith(f"HTTP/1.0 {status} ".encode())


def test_what_is_no_http_at_all_does_not_stop_it(site: Site) -> None:
    for garbage in (b"\0" * 100, b"GET /\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b""):
        with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            connection.makefile("rb").read()
    assert site.ask("DELETE", "/sessions").status == 501
    assert site.get("/").status == 200


def test_sessions_without_end_take_no_memory_without_end(site: Site) -> None:
    first, trials = site.begin()
    for _ in range(MAX_SESSIONS):
        site.begin()
    reply = site.post(f"{first}/trials/{trials[0]['id']}", {"choice": "a"})
    assert (reply.status, reply.json["error"]) == (404, "no such session: load the page again")


def test_an_answer_that_cannot_be_kept_is_not_called_kept(site: Site) -> None:
    session, trials = site.begin()
    address = f"{session}/trials/{trials[0]['id']}"
    site.answers.unlink()
    site.answers.mkdir()
    reply = site.post(address, {"choice": "a"})
    assert reply.status == 500
    assert "could not be kept in answers.jsonl" in reply.json["error"]
    site.answers.rmdir()
    assert site.post(address, {"choice": "a"}).status == 200


def test_it_listens_to_this_machine_only(tones: Path, tmp_path: Path) -> None:
    listening = Listening(tones, Contents.read(tones), AnswersFile(tmp_path / "answers.jsonl"), PAIRS)
    with ListeningServer(listening, port=0) as server:
        assert server.server_address[0] == "127.0.0.1"


def test_a_seed_gives_one_order_and_the_next_session_another(tones: Path, tmp_path: Path) -> None:
    orders = []
    for _ in range(2):
        listening = Listening(tones, Contents.read(tones), AnswersFile(tmp_path / "answers.jsonl"), PAIRS, seed=5)
        orders.append([[trial["clip"] for trial in listening.begin({})["trials"]] for _ in range(3)])
    assert orders[0] == orders[1]
    assert orders[0][0] != orders[0][1]
