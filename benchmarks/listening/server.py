"""The blind comparison over HTTP, for browsers on this machine: nothing it serves says which version is which."""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from benchmarks.listening.album import ORIGINAL, Contents
from benchmarks.listening.answers import Answer, AnswersFile, BadAnswerError, Sent, listener_of, preferred
from benchmarks.listening.results import table
from benchmarks.listening.takes import Takes
from benchmarks.listening.trials import Pair, Trial, deal
from codec import CodecError

LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 8192
MAX_DRAINED_BYTES = 65536
MAX_SESSIONS = 64
"""The oldest is forgotten when one more begins: a page that is loaded again and again takes no more memory."""
IDLE_S = 30
"""For a connection that says nothing, or not all of it."""

_PAGE = Path(__file__).parent / "page"
_STATIC = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/listen.js": ("listen.js", "text/javascript; charset=utf-8"),
    "/listen.css": ("listen.css", "text/css; charset=utf-8"),
}
# Names under which a browser on this machine reaches us. Any other is somebody else's page whose name points here.
_OUR_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
logger = logging.getLogger(__name__)


class RefusedError(Exception):
    """A request that is not answered; the text goes back to whoever asked."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the page. trials: by id. answers: by id of the trial."""

    id: str
    seed: int
    listener: str
    trials: dict[str, Trial]
    answers: dict[str, Answer]


class Listening:
    """Sessions, trials and answers, without HTTP. For any thread."""

    def __init__(
        self,
        album: Path,
        contents: Contents,
        answers: AnswersFile,
        pairs: Sequence[Pair],
        *,
        seed: int | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """seed: of the first session, the next has the next; without it each draws its own."""
        self.contents, self._answers, self._pairs = contents, answers, tuple(pairs)
        self._takes = Takes(album, contents)
        self._about = {clip.name: clip.about for clip in contents.clips}
        self._seed, self._clock = seed, clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._begun = 0
        self._lock = threading.Lock()

    def begin(self, given: Any) -> dict[str, Any]:
        """A new session from decoded JSON: its id, and its trials in the order in which they are asked."""
        listener = listener_of(given)
        with self._lock:
            seed = secrets.randbits(32) if self._seed is None else self._seed + self._begun
            self._begun += 1
            trials = deal(self.contents, self._pairs, seed=seed)
            session = Session(secrets.token_urlsafe(9), seed, listener, {each.id: each for each in trials}, {})
            self._sessions[session.id] = session
            if len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        asked = [{"id": each.id, "clip": each.clip, "about": self._about[each.clip]} for each in trials]
        return {"session": session.id, "trials": asked}

    def sound(self, session: str, trial: str, side: str) -> bytes:
        """A WAV file: side is `original`, `a` or `b`."""
        asked = self._trial(session, trial)
        names = {"original": ORIGINAL, "a": asked.order[0], "b": asked.order[1]}
        if side not in names:
            raise RefusedError(HTTPStatus.NOT_FOUND, "a trial has the sounds original, a and b")
        return self._takes.wav(asked.clip, names[side])

    def answer(self, session: str, trial: str, given: Any) -> dict[str, Any]:
        """Keep an answer from decoded JSON; says how many of the session's trials have one now."""
        asked, sent = self._trial(session, trial), Sent.of(given)
        with self._lock:
            known = self._session(session)
            if trial in known.answers:
                raise RefusedError(HTTPStatus.CONFLICT, "this trial has been answered")
            answer = Answer(
                time=self._clock().isoformat(timespec="seconds"),
                session=known.id,
                seed=known.seed,
                listener=known.listener,
                clip=asked.clip,
                pair=asked.pair,
                order=asked.order,
                choice=sent.choice,
                preferred=preferred(asked.order, sent.choice),
                words=sent.words,
                codec=self.contents.codec,
                weights=self.contents.weights,
            )
            try:
                self._answers.add(answer)
            except OSError as error:
                text = f"the answer could not be kept in {self._answers.path.name}: {error.strerror or error}"
                raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, text) from error
            known.answers[trial] = answer
            return {"answered": len(known.answers), "trials": len(known.trials)}

    def results(self, session: str) -> dict[str, Any]:
        """What a session's answers so far say, with the names of the versions: the end of being blind."""
        with self._lock:
            answers = list(self._session(session).answers.values())
        titles = {version.name: version.title for version in self.contents.versions}
        return {"titles": titles, "rows": [dict(row) for row in table(answers)]}

    def _session(self, name: str) -> Session:
        if name not in self._sessions:
            raise RefusedError(HTTPStatus.NOT_FOUND, "no such session: load the page again")
        return self._sessions[name]

    def _trial(self, session: str, trial: str) -> Trial:
        trials = self._session(session).trials
        if trial not in trials:
            raise RefusedError(HTTPStatus.NOT_FOUND, "no such trial")
        return trials[trial]


class ListeningServer(ThreadingHTTPServer):
    """`with ListeningServer(listening, port=0) as server: …` answers on a thread of its own until the end of the block.

    Raises OSError where the port is taken.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, listening: Listening, *, port: int) -> None:
        super().__init__((LOOPBACK, port), _Request)
        self.listening = listening
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="listening", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves in the middle of a sound is no event; anything else is a fault of ours."""
        logger.debug("request of %s ended early", client_address, exc_info=True)


class _Request(BaseHTTPRequestHandler):
    """One request, on a thread of its own."""

    server: ListeningServer
    server_version, sys_version = "voxwire-listening", ""
    timeout = IDLE_S
    _body_read = False

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, respond: Callable[[], tuple[bytes, str]]) -> None:
        status = HTTPStatus.OK
        try:
            self._check_who_asks()
            body, kind = respond()
        except RefusedError as error:
            status, (body, kind) = error.status, _json({"error": str(error)})
            self._drain()
        except BadAnswerError as error:
            status, (body, kind) = HTTPStatus.BAD_REQUEST, _json({"error": str(error)})
        except CodecError as error:  # a sound of the album that cannot be read
            status, (body, kind) = HTTPStatus.INTERNAL_SERVER_ERROR, _json({"error": str(error)})
        except (TimeoutError, ConnectionError):
            raise  # nobody is there to be told
        except Exception:
            logger.exception("%s %s", self.command, self.path)
            status, (body, kind) = HTTPStatus.INTERNAL_SERVER_ERROR, _json({"error": "a fault of the server"})
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _drain(self) -> None:
        """Read what a refused request still has to say: closing before that resets the connection."""
        length = self.headers.get("Content-Length", "")
        if not self._body_read and length.isascii() and length.isdigit() and len(length) < 10:
            self.rfile.read(min(int(length), MAX_DRAINED_BYTES))

    def _check_who_asks(self) -> None:
        """Pages of other sites may send requests here, and names of theirs may point here."""
        host = self.headers.get("Host", "")
        if _name_in(f"//{host}") not in _OUR_NAMES:
            raise RefusedError(HTTPStatus.FORBIDDEN, "this server answers to 127.0.0.1 and localhost only")
        origin = self.headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            raise RefusedError(HTTPStatus.FORBIDDEN, "a page of another site may not ask")

    def _get(self) -> tuple[bytes, str]:
        path = self._path()
        if path in _STATIC:
            name, kind = _STATIC[path]
            return (_PAGE / name).read_bytes(), kind
        match path.split("/"):
            case ["", "sessions", session, "results"]:
                return _json(self.server.listening.results(session))
            case ["", "sessions", session, "trials", trial, file] if file.endswith(".wav"):
                return self.server.listening.sound(session, trial, file.removesuffix(".wav")), "audio/wav"
        raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")

    def _post(self) -> tuple[bytes, str]:
        given = self._body()
        match self._path().split("/"):
            case ["", "sessions"]:
                return _json(self.server.listening.begin(given))
            case ["", "sessions", session, "trials", trial]:
                return _json(self.server.listening.answer(session, trial, given))
        raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")

    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _body(self) -> Any:
        """The decoded JSON of a request, of a length that is known before it is read."""
        # A form of another site's page can send text, but not this type, without the browser asking us first.
        if self.headers.get_content_type() != "application/json":
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing")
        if len(length) > 9 or int(length) > MAX_BODY_BYTES:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {MAX_BODY_BYTES} bytes")
        self._body_read = True
        try:
            return json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "the body is no JSON") from error

    def log_message(self, *parts: Any) -> None:
        """Not to standard error: requests are many, and say nothing to a listener."""


def _name_in(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _json(value: dict[str, Any]) -> tuple[bytes, str]:
    return json.dumps(value).encode(), "application/json"
