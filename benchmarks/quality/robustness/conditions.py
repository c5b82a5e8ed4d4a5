"""Speech as it comes: by whom, how loud, beside what noise. Each condition is scored as a mean over recordings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Row
from benchmarks.quality.robustness import sounds
from benchmarks.quality.robustness.figures import pitch_hz
from benchmarks.quality.robustness.line import RATE_HZ, Line, Samples, lined_up
from benchmarks.quality.robustness.rules import LEVELS_DBFS, OFFSET
from benchmarks.quality.robustness.scores import Scores
from codec import read_audio

MANIFEST = "manifest.jsonl"
SUFFIXES = (".flac", ".wav", ".ogg", ".opus", ".mp3")
NOISES_DB = (20, 10, 5)
OVERDRIVE_DB = 12
SPEEDS = (0.85, 1.25)
LONGEST_S = 20
"""Of a recording, the rest is left out: PESQ is made for no more."""
TO_CLEAN = ("PESQ-WB", "ESTOI")
"""Figures that are told of the recording without its noise too."""
DEEP_HZ, HIGH_HZ = 160, 250
"""Where nobody says who speaks, pitch does: most men are below the one, most small children above the other."""

Score = Callable[[Samples, Samples], Scores]
"""Takes a reference and a degraded recording, both [T], and names its figures."""

_VOICES = {"man": "men", "woman": "women", "child": "children"}
_BABBLE_VOICES = 6  # fewer are a conversation, many more are a hiss


class SpeechError(Exception):
    """There is no speech to score; the text says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """name: of its file; voice: as in `men`; samples [T] at RATE_HZ."""

    name: str
    voice: str
    samples: Samples


@dataclass(frozen=True, slots=True)
class Condition:
    """name: as in `babble, 10 dB`. make: what is sent, of a recording and some others. noisy: the recording itself
    would be nicer to hear than what is sent."""

    name: str
    make: Callable[[Samples, Sequence[Samples]], Samples]
    noisy: bool = False


def read_recordings(folder: Path) -> list[Recording]:
    """All recordings in `folder`; the manifest beside them may say of each whose voice it is. Raises SpeechError."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not paths:
        raise SpeechError(f"there is no recording in {folder}: name a folder of FLAC or WAV files with --speech")
    known = _read_manifest(folder / MANIFEST)
    recordings = []
    for path in paths:
        samples = read_audio(path, RATE_HZ)[: LONGEST_S * RATE_HZ]
        if samples.size < RATE_HZ:
            raise SpeechError(f"{path} is shorter than a second: there is nothing to score in it")
        if not samples.any():
            raise SpeechError(f"{path} holds nothing but silence")
        recordings.append(Recording(path.name, _voice(known.get(path.name, {}), samples), samples))
    return recordings


def all_conditions() -> list[Condition]:
    """In the order of the table; the first is none."""
    return [
        Condition("as it is", _as_it_is),
        *[Condition(f"peak at {dbfs} dBFS", partial(_at_peak, dbfs)) for dbfs in LEVELS_DBFS],
        *[Condition(f"white noise, {snr_db} dB", partial(_with_hiss, snr_db), noisy=True) for snr_db in NOISES_DB],
        *[Condition(f"babble, {snr_db} dB", partial(_with_babble, snr_db), noisy=True) for snr_db in NOISES_DB],
        Condition(f"clipped by {OVERDRIVE_DB} dB", _overdriven, noisy=True),
        Condition(f"offset of {OFFSET:g}", _with_offset, noisy=True),
        *[Condition(f"{factor:g} times as fast and high", partial(_faster, factor)) for factor in SPEEDS],
    ]


def score_conditions(line: Line, recordings: Sequence[Recording], score: Score) -> Iterator[Row]:
    """A row for each condition, and one for each kind of voice. Means over the recordings that have such a figure.

    What came back is scored against what was sent. `to clean` is against the recording without its noise, and `sent to
    clean` is what the noise itself has cost: no codec can do much better.
    """
    for condition in all_conditions():
        each = [_score_one(line, condition, index, recordings, score) for index in range(len(recordings))]
        yield {"condition": condition.name, "recordings": len(each), **_means(each)}
        if condition.make is _as_it_is:
            for voice in sorted({recording.voice for recording in recordings}):
                some = [scores for scores, by in zip(each, recordings, strict=True) if by.voice == voice]
                yield {"condition": f"{voice} alone", "recordings": len(some), **_means(some)}


def _score_one(line: Line, condition: Condition, index: int, recordings: Sequence[Recording], score: Score) -> Scores:
    speech = recordings[index].samples
    others = [recordings[(index + step) % len(recordings)].samples for step in range(1, _BABBLE_VOICES + 1)]
    sent = condition.make(speech, others)
    heard = lined_up(line(sent), sent)
    scores = score(sent, heard)
    to_clean = score(speech, heard) if condition.noisy else {}
    without_codec = score(speech, sent) if condition.noisy else {}
    return {
        **scores,
        **{f"{name} to clean": to_clean.get(name) for name in TO_CLEAN},
        **{f"{name} sent to clean": without_codec.get(name) for name in TO_CLEAN},
    }


def _means(scores: Sequence[Scores]) -> Scores:
    names = list(scores[0])
    values = {name: [each[name] for each in scores] for name in names}
    known = {name: [value for value in column if value is not None] for name, column in values.items()}
    return {name: float(np.mean(column)) if column else None for name, column in known.items()}


def _voice(row: dict[str, Any], samples: Samples) -> str:
    voice = row.get("voice")
    if isinstance(voice, str):
        return _VOICES.get(voice, voice)
    hertz = pitch_hz(samples)
    if hertz is None:
        return "voices without pitch"
    if hertz < DEEP_HZ:
        return f"voices below {DEEP_HZ} Hz"
    return f"voices above {HIGH_HZ} Hz" if hertz > HIGH_HZ else f"voices of {DEEP_HZ} to {HIGH_HZ} Hz"


def _read_manifest(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        return {row["file"]: row for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise SpeechError(f"{path} is no list of recordings, one JSON object with a `file` a line: {error}") from error


def _as_it_is(speech: Samples, others: Sequence[Samples]) -> Samples:
    return speech


def _at_peak(dbfs: float, speech: Samples, others: Sequence[Samples]) -> Samples:
    return sounds.at_peak(speech, dbfs)


def _with_hiss(snr_db: float, speech: Samples, others: Sequence[Samples]) -> Samples:
    return sounds.with_noise(speech, sounds.hiss(speech.size / RATE_HZ, -20), snr_db)


def _with_babble(snr_db: float, speech: Samples, others: Sequence[Samples]) -> Samples:
    return sounds.with_noise(speech, sounds.babble(others, speech.size / RATE_HZ), snr_db)


def _overdriven(speech: Samples, others: Sequence[Samples]) -> Samples:
    return sounds.overdriven(speech, OVERDRIVE_DB)


def _with_offset(speech: Samples, others: Sequence[Samples]) -> Samples:
    return (sounds.at_peak(speech, -6) + OFFSET).astype(np.float32)


def _faster(factor: float, speech: Samples, others: Sequence[Samples]) -> Samples:
    return sounds.faster(speech, factor)
