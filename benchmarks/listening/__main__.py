"""Recordings to listen to: make the album, compare blindly in a browser, read what listeners chose."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import markdown_table
from benchmarks.listening.album import Contents
from benchmarks.listening.answers import AnswersFile, read_answers
from benchmarks.listening.build import build
from benchmarks.listening.clips import LISTENING, ORIGINALS, ListeningError, find_clips
from benchmarks.listening.results import notes, table
from benchmarks.listening.server import Listening, ListeningServer
from benchmarks.listening.trials import DEFAULT_PAIRS, Pair, check_pairs, parse_pairs
from benchmarks.quality.contenders import ContenderError
from codec import CodecError, Tokenizer
from codec.progress import Progress

PORT = 8377
ANSWERS = Path("listening-answers.jsonl")
"""Where the command was called, not among the results: `make clean` takes those away."""


def main(argv: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(argv)
    try:
        code: int = given.run(given)
    except (ListeningError, ContenderError, CodecError) as error:
        print(f"benchmarks.listening: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _build(given: argparse.Namespace) -> int:
    count = len(find_clips(given.speech))
    tokenizer = Tokenizer.load(given.model)
    with Progress("rebuilt", count, unit="recordings") as progress:
        contents = build(given.speech, given.out, tokenizer, on_clip=progress.update)
    size = sum(path.stat().st_size for path in given.out.rglob("*") if path.is_file())
    versions = ", ".join(f"{version.title} ({version.kbps:.2f} kbit/s)" for version in contents.versions)
    print(f"{given.out}: {count} recordings as {versions}; {size / 1e6:.1f} MB")
    return 0


def _serve(given: argparse.Namespace) -> int:
    contents = Contents.read(given.album)
    check_pairs(given.pairs, contents)
    answers = AnswersFile(given.answers)
    listening = Listening(given.album, contents, answers, given.pairs, seed=given.seed)
    try:
        server = ListeningServer(listening, port=given.port)
    except OSError as error:
        raise ListeningError(f"port {given.port}: {error.strerror or error}; --port 0 takes a free one") from error
    with server:
        print(f"Open {server.url} in a browser on this machine. Ctrl-C ends it.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"\nAnswers are in {answers.path}: python -m benchmarks.listening results {answers.path}")
    return 0


def _results(given: argparse.Namespace) -> int:
    answers, unread = read_answers(given.answers)
    rows, said = table(answers), notes(answers, unread)
    if given.json:
        print(json.dumps({"rows": [dict(row) for row in rows], "notes": said}, indent=2))
        return 0
    print(markdown_table(rows))
    for note in said:
        print(f"\n{note}")
    for answer in answers:
        if answer.words:
            print(f"\n{answer.clip}, A {answer.order[0]}, B {answer.order[1]}, chose {answer.choice}: {answer.words}")
    return 0


def _pairs(text: str) -> tuple[Pair, ...]:
    try:
        return parse_pairs(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError(text)
    return port


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.listening",
        description=__doc__,
        epilog="example: python -m benchmarks.listening serve --pairs nano-16:opus-6",
    )
    commands = parser.add_subparsers(required=True, metavar="build | serve | results")

    making = commands.add_parser("build", help="rebuild every recording by every codec, draw pictures, write the page")
    making.add_argument(
        "--speech", type=Path, default=ORIGINALS, metavar="DIR", help="recordings (default: %(default)s)"
    )
    making.add_argument("-o", "--out", type=Path, default=LISTENING, metavar="DIR", help="album (default: %(default)s)")
    making.add_argument("--model", default="nano", help="nano, or a folder with its two ONNX files")
    making.set_defaults(run=_build)

    serving = commands.add_parser("serve", help="the blind comparison, for a browser on this machine")
    serving.add_argument("--album", type=Path, default=LISTENING, metavar="DIR", help="(default: %(default)s)")
    serving.add_argument("--port", type=_port, default=PORT, help="0 takes a free one (default: %(default)s)")
    serving.add_argument("--answers", type=Path, default=ANSWERS, metavar="FILE", help="(default: %(default)s)")
    default = ",".join(":".join(pair) for pair in DEFAULT_PAIRS)
    serving.add_argument("--pairs", type=_pairs, default=DEFAULT_PAIRS, help=f"(default: {default})")
    serving.add_argument("--seed", type=int, help="of the first session's order (default: a new one each time)")
    serving.set_defaults(run=_serve)

    reading = commands.add_parser("results", help="how often which version was preferred, with an interval")
    reading.add_argument(
        "answers", type=Path, nargs="?", default=ANSWERS, metavar="FILE", help="(default: %(default)s)"
    )
    reading.add_argument("--json", action="store_true", help="print JSON instead of a table")
    reading.set_defaults(run=_results)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
