"""Command line: tracker, then contours. Minutes on one core, before all the rest."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from codec.errors import CodecError
from codec.models.checkpoint import save_checkpoint
from codec.models.nano.config import NanoConfig
from codec.models.nano.pitch import nearest_contour
from codec.models.nano.train.data import SpeechCorpus, read_index, split_by_speaker
from codec.models.nano.train.pitch.contours import contours, learn_contours
from codec.models.nano.train.pitch.reference import PitchTracks
from codec.models.nano.train.pitch.training import Batch, TrackerTraining, train_tracker

CONTOUR_BATCHES = 150
"""Batches of speech whose contours the codebook is made of."""


def paired_batch(
    corpus: SpeechCorpus, tracks: PitchTracks, rng: np.random.Generator, *, size: int, length: int
) -> Batch:
    """Segments at random levels with their pitch."""
    rows, pitches = [], []
    for _ in range(size):
        place = corpus.place(rng, length)
        piece = corpus.read(place, length)
        level = 10.0 ** (rng.uniform(-40.0, -0.5) / 20.0) / max(float(np.abs(piece).max()), 1e-3)
        rows.append(piece * np.float32(level))
        pitches.append(tracks.of(place, length))
    return torch.from_numpy(np.stack(rows)), torch.from_numpy(np.stack(pitches))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m codec.models.nano.train.pitch",
        description="Train nano's pitch tracker and its codebook of contours.",
        epilog="then: python -m codec.models.nano.train … --pitch OUT/checkpoint",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with index.jsonl and its audio files")
    parser.add_argument("--out", type=Path, default=Path("runs/pitch"))
    parser.add_argument("--cache", type=Path, help="decoded audio (default: OUT/cache)")
    parser.add_argument("--pitch-cache", type=Path, help="reference pitch (default: OUT/pitch)")
    parser.add_argument("--steps", type=int, default=3500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(argv)
    try:
        run(arguments)
    except CodecError as error:
        print(f"train: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def run(arguments: argparse.Namespace) -> None:
    """Tracker, then codebook, then the checkpoint of both."""
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    config = NanoConfig()
    progress = sys.stderr.isatty()
    split = split_by_speaker(read_index(arguments.data, config.sample_rate), seed=arguments.seed)
    training, validation = (
        SpeechCorpus(
            arguments.data,
            clips,
            cache=arguments.cache or arguments.out / "cache",
            sample_rate=config.sample_rate,
            progress=progress,
        )
        for clips in split
    )
    tracks = [
        PitchTracks(corpus, config, cache=arguments.pitch_cache or arguments.out / "pitch", progress=progress)
        for corpus in (training, validation)
    ]
    model = TrackerTraining(config)
    began = time.monotonic()

    def batch(step: int) -> Batch:
        rng = np.random.default_rng((arguments.seed, step))
        return paired_batch(training, tracks[0], rng, size=16, length=2 * config.sample_rate)

    def report(step: int, figures: dict[str, float]) -> None:
        words = " ".join(f"{name} {value:.4g}" for name, value in figures.items())
        print(f"step {step} of {arguments.steps}, {(time.monotonic() - began) / 60:.1f} min: {words}", flush=True)

    rng = np.random.default_rng((arguments.seed, 1_000_000))
    held_out = paired_batch(validation, tracks[1], rng, size=32, length=3 * config.sample_rate // 1280 * 1280)
    train_tracker(model, batch, held_out, steps=arguments.steps, report=report)
    model.eval()
    seconds = config.frame_size * 50

    def many() -> Iterator[Batch]:
        for number in range(CONTOUR_BATCHES):
            rng = np.random.default_rng((arguments.seed, 2_000_000 + number))
            yield paired_batch(training, tracks[0], rng, size=16, length=seconds)

    octaves, voicings = contours(model, many())
    book = learn_contours(octaves, voicings, size=config.codebook_size)
    error = (book[nearest_contour(octaves, voicings, book)] - octaves).abs()[voicings > 0.5]
    print(f"contours: {len(octaves)} frames, median error {1200 * float(error.median()):.1f} cents", flush=True)
    hertz = config.pitch.lowest_hz * torch.exp2(book)
    tensors = {f"tracker.{k}": v for k, v in model.tracker.state_dict().items()} | {"contours": hertz}
    save_checkpoint(arguments.out / "checkpoint", tensors, {"steps": arguments.steps, "seed": arguments.seed})
