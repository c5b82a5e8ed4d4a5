"""Answers of listeners: what a page may send, and the file of JSON lines they are kept in."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.listening.clips import ListeningError

CHOICES = ("a", "b", "none")
MAX_WORDS = 500
MAX_LISTENER = 40


class BadAnswerError(Exception):
    """What a page sent is no answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An answer as the page sends it. words: what the listener had to say, one line, may be empty."""

    choice: str
    words: str

    @classmethod
    def of(cls, given: Any) -> Sent:
        """From decoded JSON. Raises BadAnswerError for anything that the page does not send."""
        known = _object(given, ("choice", "words"))
        choice = known.get("choice")
        if choice not in CHOICES:
            raise BadAnswerError(f"choice is one of {', '.join(CHOICES)}")
        return cls(choice, _line(known, "words", MAX_WORDS))


def listener_of(given: Any) -> str:
    """The name a listener goes by, from decoded JSON; may be empty. Raises BadAnswerError."""
    return _line(_object(given, ("listener",)), "listener", MAX_LISTENER)


def _object(given: Any, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise BadAnswerError("a JSON object was expected")
    if unknown := sorted(set(given) - set(names)):
        raise BadAnswerError(f"unknown: {', '.join(unknown)[:100]}; known: {', '.join(names)}")
    return given


def _line(given: dict[str, Any], name: str, longest: int) -> str:
    text = given.get(name, "")
    if not isinstance(text, str):
        raise BadAnswerError(f"{name} is text")
    text = " ".join(text.split())
    if len(text) > longest:
        raise BadAnswerError(f"{name} has at most {longest} characters")
    # Half a surrogate pair is legal in JSON and cannot be written as UTF-8; the other control characters are no words.
    if not text.isprintable():
        raise BadAnswerError(f"{name} has characters that cannot be printed")
    return text


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of the file. order: what A and B were; choice: of CHOICES; preferred: a version, or None."""

    time: str
    session: str
    seed: int
    listener: str
    clip: str
    pair: tuple[str, str]
    order: tuple[str, str]
    choice: str
    preferred: str | None
    words: str
    codec: str
    weights: str


class AnswersFile:
    """Lines are only ever added. For any thread."""

    def __init__(self, path: Path) -> None:
        """Raises ListeningError where it cannot be written to: better now than after the first answer."""
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab"):
                pass
        except OSError as error:
            raise ListeningError(f"answers cannot be kept in {path}: {error.strerror or error}") from error

    def add(self, answer: Answer) -> None:
        """One line, whole, and on the disk when this returns. Raises OSError."""
        line = json.dumps(asdict(answer), ensure_ascii=False).encode() + b"\n"
        with self._lock, self.path.open("ab+", buffering=0) as file:
            # A line that a full disk or a crash cut short stays alone: this one begins a new one.
            if file.tell() and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
                line = b"\n" + line
            written = file.write(line)
            if written != len(line):
                raise OSError("the disk is full")
            os.fsync(file.fileno())


def read_answers(path: Path) -> tuple[list[Answer], int]:
    """The answers in a file, and how many of its lines are none. Raises ListeningError where it cannot be read."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ListeningError(f"{path} cannot be read: {error.strerror or error}") from error
    answers = [_parsed(line) for line in lines if line.strip()]
    good = [answer for answer in answers if answer is not None]
    return good, len(answers) - len(good)


def _parsed(line: bytes) -> Answer | None:
    try:
        given = json.loads(line)
        pair, order = tuple(given.pop("pair")), tuple(given.pop("order"))
        answer = Answer(pair=pair, order=order, **given)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return answer if all(_signs(answer)) else None  # lazily: each sign may rely on those before


def _signs(answer: Answer) -> Iterator[bool]:
    """What is true of every line that `add` wrote."""
    texts = (answer.time, answer.session, answer.listener, answer.clip, answer.words, answer.codec, answer.weights)
    yield all(isinstance(text, str) for text in (*texts, *answer.pair, answer.choice))
    yield len(answer.pair) == 2 and answer.order in (answer.pair, answer.pair[::-1])
    yield answer.choice in CHOICES
    yield answer.preferred == preferred(answer.order, answer.choice)


def preferred(order: tuple[str, str], choice: str) -> str | None:
    """The version that `choice` means; None for no difference."""
    return {"a": order[0], "b": order[1]}.get(choice)
