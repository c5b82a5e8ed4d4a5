"""Who takes part, and everybody on every recording."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.resources import as_file
from pathlib import Path
from typing import Literal

from benchmarks.quality.contenders import RATE_HZ, Codec2, Contender, ContenderError, Nano, Opus, Speex
from benchmarks.quality.scoring import Score, score
from codec import Tokenizer, load_onnx_decoder, load_onnx_encoder, read_audio
from codec.packaged import PACKAGED_VERSIONS, packaged_folder

Precision = Literal["fp32", "int8"]

_FILES: dict[Precision, tuple[str, ...]] = {"fp32": ("{}.onnx",), "int8": ("{}.int8.onnx", "{}.int8-reduced.onnx")}


@dataclass(frozen=True, slots=True)
class NanoFiles:
    """One nano: its name in the table, and its two halves."""

    name: str
    encoder: Path
    decoder: Path

    def load(self) -> Tokenizer:
        """Both halves on one thread. Raises ModelError where they are not of one codec."""
        return Tokenizer(load_onnx_encoder(None, model=self.encoder), load_onnx_decoder(None, model=self.decoder))


@dataclass(frozen=True, slots=True)
class Field:
    """Who takes part: nanos by their first `layers` layers each, and the others."""

    nanos: Sequence[NanoFiles]
    layers: Sequence[int]
    others: Sequence[Contender] = (Opus(), Codec2(), Speex())

    def contenders(self) -> list[Contender]:
        """All of them, loaded."""
        return [*(Nano(files.load(), self.layers, name=files.name) for files in self.nanos), *self.others]


@dataclass(frozen=True, slots=True)
class Result:
    """A recording through everybody. left_out: codecs that could not be run, with the reason."""

    recording: str
    scores: Sequence[Score]
    left_out: dict[str, str]


def packaged_nano() -> Path:
    """The folder of the newest weights that come with the package."""
    with as_file(packaged_folder(PACKAGED_VERSIONS["nano"])) as folder:
        return folder


def find_nano(folder: Path, precision: Precision, *, name: str) -> NanoFiles:
    """The two halves of a precision in a folder of exports; of int8 one half may be there alone, the other is float32.

    Raises ContenderError.
    """
    found = [_file(folder, half, precision) for half in ("encoder", "decoder")]
    if not any(found):
        raise ContenderError(f"{folder} holds neither an encoder nor a decoder in {precision}")
    encoder, decoder = (
        file or _file(folder, half, "fp32") for file, half in zip(found, ("encoder", "decoder"), strict=True)
    )
    if encoder is None or decoder is None:
        raise ContenderError(f"{folder} lacks {'decoder' if encoder else 'encoder'}.onnx")
    return NanoFiles(name, encoder, decoder)


def _file(folder: Path, half: str, precision: Precision) -> Path | None:
    places = [folder / pattern.format(half) for pattern in _FILES[precision]]
    return next((place for place in places if place.is_file()), None)


def run_everybody(contenders: Sequence[Contender], path: Path) -> Result:
    """One recording through all of `contenders`. One that lacks its program is left out, and the others go on."""
    recording = read_audio(path, RATE_HZ)
    scores: list[Score] = []
    left_out: dict[str, str] = {}
    for contender in contenders:
        try:
            scores += [score(path.name, recording, rebuilt) for rebuilt in contender.rebuild(recording)]
        except ContenderError as error:
            left_out[contender.codec] = str(error)
    return Result(path.name, scores, left_out)


def run_all(
    field: Field, recordings: Sequence[Path], *, jobs: int, on_result: Callable[[Result], None]
) -> list[Result]:
    """Every recording through everybody, in `jobs` processes (1: in this one). The results are in order; `on_result` is
    told of each when it is there."""
    results: dict[str, Result] = {}
    for result in _results(field, recordings, jobs):
        results[result.recording] = result
        on_result(result)
    return [results[path.name] for path in recordings]


def _results(field: Field, recordings: Sequence[Path], jobs: int) -> Iterator[Result]:
    if jobs == 1:
        contenders = field.contenders()
        for path in recordings:
            yield run_everybody(contenders, path)
        return
    # spawn: a fork would copy the threads of whatever is loaded here, and not their owners.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker, initargs=(field,)) as pool:
        for future in as_completed([pool.submit(_work, path) for path in recordings]):
            yield future.result()


_loaded: list[Contender] = []
"""Of a worker process: models are opened once, not for every recording."""


def _start_worker(field: Field) -> None:
    _loaded[:] = field.contenders()


def _work(path: Path) -> Result:
    return run_everybody(_loaded, path)
