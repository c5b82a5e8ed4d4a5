"""Measures of a rebuilt recording against its original, each with a package of its own that may be missing."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.audio.resample import Resampler
from codec.audio.wav import WavWriter
from codec.comparison.alignment import SCORE_RATE_HZ

PESQ_STRETCH_S = 20
"""Longest part that PESQ is asked about at once: its recommendation is for 8 to 20 s, its code knows 50 utterances."""

_MIN_STOI_S = 1.0
_MIN_PESQ_S = 0.5
_NARROW_RATE_HZ = 8000

Signal = NDArray[np.float32]


class NotMeasuredError(Exception):
    """There is no such figure; the text says why, as in `pesq is not installed: pip install pesq`."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Figures by their names, None where there is none, and for those the reason."""

    values: dict[str, float | None]
    missing: dict[str, str]


def measure(reference: Signal, degraded: Signal, *, only: Collection[str] | None = None) -> Measures:
    """The figures of two aligned recordings [T] at SCORE_RATE_HZ, equally long: all of them, or `only` these.

    `stoi`: intelligibility, 0 to 1. `pesq_wb`, `pesq_nb`: 1 to 4.6, the mean over stretches of at most 20 s.
    `speaker_similarity`: cosine of the voices, up to 1. `utmos_…`: naturalness that a network hears, 1 to 5.
    """
    figures: dict[str, Callable[[], float]] = {
        "stoi": partial(_stoi, reference, degraded),
        "pesq_wb": partial(_pesq, reference, degraded, "wb"),
        "pesq_nb": partial(_pesq, reference, degraded, "nb"),
        "speaker_similarity": partial(_speaker_similarity, reference, degraded),
        "utmos_reference": partial(_utmos, reference),
        "utmos_degraded": partial(_utmos, degraded),
    }
    values: dict[str, float | None] = {}
    missing: dict[str, str] = {}
    for name, figure in figures.items():
        if only is not None and name not in only:
            continue
        try:
            values[name] = _finite(figure())
        except NotMeasuredError as reason:
            values[name] = None
            missing[name] = str(reason)
    return Measures(values, missing)


def _finite(figure: float) -> float:
    if not math.isfinite(figure):
        raise NotMeasuredError("it has no value for these")
    return round(figure, 4)


def _package(name: str, requirement: str) -> Any:
    if importlib.util.find_spec(name) is None:
        raise NotMeasuredError(f"{name} is not installed: pip install {requirement}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of other people's packages
        try:
            return importlib.import_module(name)
        except Exception as error:  # a package may fail in any way where its own requirements are not met
            raise NotMeasuredError(f"{name} does not start: {_first_line(error)}") from error


def _stoi(reference: Signal, degraded: Signal) -> float:
    package = _package("pystoi", "pystoi")
    if reference.size < _MIN_STOI_S * SCORE_RATE_HZ:
        raise NotMeasuredError(f"it needs {_MIN_STOI_S:g} s of sound")
    if not reference.any() or not degraded.any():
        raise NotMeasuredError("there is nothing but silence")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(package.stoi(reference.astype(np.float64), degraded.astype(np.float64), SCORE_RATE_HZ))
        except RuntimeWarning as error:  # its way of saying that hardly anything is above silence
            raise NotMeasuredError("there is hardly anything above silence") from error


def _pesq(reference: Signal, degraded: Signal, mode: str) -> float:
    package = _package("pesq", "pesq")
    if reference.size < _MIN_PESQ_S * SCORE_RATE_HZ:
        raise NotMeasuredError(f"it needs {_MIN_PESQ_S:g} s of sound")
    rate, one, other = SCORE_RATE_HZ, reference, degraded
    if mode == "nb":
        rate, one, other = _NARROW_RATE_HZ, _narrowed(reference), _narrowed(degraded)
    count = -(-one.size // (PESQ_STRETCH_S * rate))
    scores = []
    for first, second in zip(np.array_split(one, count), np.array_split(other, count), strict=True):
        with contextlib.suppress(Exception):  # a stretch of silence has no score
            scores.append(float(package.pesq(rate, first, second, mode)))
    if not scores:
        raise NotMeasuredError("no speech was found in it")
    return float(np.mean(scores))


def _narrowed(signal: Signal) -> Signal:
    resampler = Resampler(SCORE_RATE_HZ, _NARROW_RATE_HZ)
    return np.concatenate([resampler.process(signal), resampler.flush()])


def _speaker_similarity(reference: Signal, degraded: Signal) -> float:
    package = _package("resemblyzer", "resemblyzer")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            encoder = package.VoiceEncoder("cpu", verbose=False)
            voices = [
                encoder.embed_utterance(package.preprocess_wav(signal, source_sr=SCORE_RATE_HZ))
                for signal in (reference, degraded)
            ]
        except Exception as error:  # it fails in many ways where no voice is found
            raise NotMeasuredError(f"no voice was found in it: {_first_line(error)}") from error
    cosine = float(np.dot(*voices) / (np.linalg.norm(voices[0]) * np.linalg.norm(voices[1])))
    if not np.isfinite(cosine):
        raise NotMeasuredError("no voice was found in it")
    return cosine


def _utmos(signal: Signal) -> float:
    """By whichever package of the two generations is here; both fetch their weights when they are first used."""
    name = "utmosv2" if importlib.util.find_spec("utmosv2") else "utmos"
    package = _package(name, "utmos")
    with _as_file(signal) as path, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if name == "utmos":
                return float(package.Score().calculate_wav_file(str(path)))
            return float(package.create_model(pretrained=True).predict(input_path=str(path)))
        except Exception as error:  # no network for its weights, for one
            raise NotMeasuredError(f"{name} failed: {_first_line(error)}") from error


@contextlib.contextmanager
def _as_file(signal: Signal) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(suffix=".wav", prefix="voxwire-")
    os.close(handle)
    path = Path(name)
    try:
        with WavWriter(path, SCORE_RATE_HZ) as writer:
            writer.write(signal)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
