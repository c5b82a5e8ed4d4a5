"""`codec bench`: speed of both halves on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from codec.audio.reader import read_audio
from codec.command.options import (
    Commands,
    add_command,
    add_model_arguments,
    default_codec,
    positive,
    settings_of,
)
from codec.command.report import Outcome
from codec.load import load_onnx_decoder, load_onnx_encoder

BENCH_FRAMES = 250


def add(commands: Commands) -> None:
    """Describe the subcommand."""
    command = add_command(commands, "bench", run, "speed of one-frame steps on this machine", "codec bench --json")
    command.add_argument("--frames", type=positive, default=BENCH_FRAMES, help=f"steps to run; default: {BENCH_FRAMES}")
    command.add_argument("--audio", type=Path, help="sound to encode; default: noise that swells like speech")
    add_model_arguments(command)


def run(arguments: argparse.Namespace) -> Outcome:
    """Do it; raises CodecError."""
    from codec.bench import bench_codec

    settings = settings_of(arguments)
    codec = settings.codec or default_codec(settings)
    encoder = load_onnx_encoder(codec, model=settings.model, provider=settings.device, threads=settings.threads)
    decoder = load_onnx_decoder(codec, model=settings.model, provider=settings.device, threads=settings.threads)
    sound = None if arguments.audio is None else read_audio(arguments.audio, encoder.spec.sample_rate)
    return Outcome(dict(bench_codec(encoder, decoder, frames=arguments.frames, sound=sound)))
