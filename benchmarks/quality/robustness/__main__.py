"""nano where life is hard: the scores of speech under bad conditions, and the rules that hold whatever is sent."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness import Row, markdown_table
from benchmarks.quality.robustness.conditions import (
    Recording,
    Score,
    SpeechError,
    all_conditions,
    read_recordings,
    score_conditions,
)
from benchmarks.quality.robustness.line import RATE_HZ, Line, Samples, codec_line
from benchmarks.quality.robustness.rules import RULES, SPEECH_S
from benchmarks.quality.robustness.scores import score_speech
from codec import CodecError, load_codec
from codec.progress import Progress

SPEECH = Path(__file__).resolve().parents[3] / "docs" / "listening" / "original"
RULES_SPEECH_S = 40
"""What the rules are held against: longer speech, and clicks at frame boundaries stand out more."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command. Gives 1 where a rule is broken, 2 for wrong options, 66 where there is no speech or codec."""
    given = _parse(argv)
    try:
        recordings = read_recordings(given.speech)
        speech = _joined(recordings)
        encoder, decoder = load_codec("nano", model=given.model)
        line = codec_line(encoder, decoder, layers=given.layers)
    except (CodecError, SpeechError) as error:
        print(f"robustness: {error}", file=sys.stderr)
        return 66
    except ValueError as error:
        print(f"robustness: {error}", file=sys.stderr)
        return 2
    spec = encoder.spec
    scores = [] if given.rules_only else _score(line, recordings, score_speech)
    rules = _check(line, speech, spec.frame_size)
    title = f"{spec.name}, {given.layers or spec.num_layers} of {spec.num_layers} layers, {len(recordings)} recordings"
    _print(title, scores, rules)
    if given.json:
        result = {"title": title, "weights_sha256": spec.weights_sha256, "scores": scores, "rules": rules}
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if all(row["kept"] != "BROKEN" for row in rules) else 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.robustness",
        description=__doc__,
        epilog="example: python -m benchmarks.quality.robustness --speech recordings --json robustness.json",
    )
    parser.add_argument("--speech", type=Path, default=SPEECH, metavar="DIR", help="recordings (default: the bundled)")
    parser.add_argument("--model", type=Path, metavar="DIR", help="folder with encoder.onnx and decoder.onnx")
    parser.add_argument("--layers", type=int, metavar="K", help="decode from the first K layers (default: all)")
    parser.add_argument("--rules-only", action="store_true", help="leave the scores out: seconds instead of minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    return parser.parse_args(argv)


def _score(line: Line, recordings: Sequence[Recording], score: Score) -> list[Row]:
    rows: list[Row] = []
    total = len(all_conditions())
    with Progress("scores", total, unit="conditions") as progress:
        for done, row in enumerate(score_conditions(line, recordings, score)):
            rows.append(row)
            progress.update(min(done, total), str(row["condition"]))
    return rows


def _check(line: Line, speech: Samples, frame_size: int) -> list[Row]:
    rows: list[Row] = []
    with Progress("rules", len(RULES), unit="rules") as progress:
        for done, rule in enumerate(RULES):
            name = rule.__name__.replace("_", " ")
            progress.update(done, name)
            for found in rule(line, speech, frame_size):
                kept = "-" if found.limit is None else "yes" if found.kept else "BROKEN"
                figures: Row = {"value": round(found.value, 2), "limit": _rounded(found.limit), "kept": kept}
                rows.append({"rule": name, "sound": found.sound, "figure": found.what, **figures})
    return rows


def _rounded(limit: float | None) -> float | None:
    return None if limit is None else round(limit, 2)


def _joined(recordings: Sequence[Recording]) -> Samples:
    """One after another, as much as the rules need. Raises SpeechError for less."""
    joined = np.concatenate([recording.samples for recording in recordings])[: RULES_SPEECH_S * RATE_HZ]
    if joined.size < SPEECH_S * RATE_HZ:
        seconds = joined.size / RATE_HZ
        raise SpeechError(f"the recordings are {seconds:.1f} s together: the rules need {SPEECH_S} s of speech")
    return joined


def _print(title: str, scores: Sequence[Row], rules: Sequence[Row]) -> None:
    print(f"## {title}\n")
    if scores:
        print(markdown_table(scores) + "\n")
    print(markdown_table(rules))
    broken = [f"{row['rule']} ({row['sound']})" for row in rules if row["kept"] == "BROKEN"]
    print(f"\nbroken: {'; '.join(broken) or 'none'}")


if __name__ == "__main__":
    raise SystemExit(main())
