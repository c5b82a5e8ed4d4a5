"""`codec compare`: how far two recordings are apart, or one and what a codec makes of it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from codec.command.options import Commands, add_command, add_model_arguments, default_codec, settings_of
from codec.command.report import Outcome
from codec.comparison.compare import compare_codec, compare_files
from codec.errors import CodecError
from codec.load import load_codec
from codec.tokenizer import Tokenizer


def add(commands: Commands) -> None:
    """Describe the subcommand."""
    command = add_command(
        commands,
        "compare",
        run,
        "how far two recordings are apart, or one and what a codec makes of it",
        "codec compare speech.flac -o report.png --layers 8",
    )
    command.add_argument("reference", help="the original: a file or an http(s) address")
    command.add_argument(
        "degraded", nargs="?", help="what became of it; left out: what the codec makes of the original"
    )
    command.add_argument("-o", "--output", type=Path, help="picture (PNG) of both, one above the other")
    command.add_argument("--layers", type=int, help="with one recording: by the first K layers; default: all")
    add_model_arguments(command)


def run(arguments: argparse.Namespace) -> Outcome:
    """Do it; raises CodecError."""
    if arguments.degraded is not None:
        if arguments.layers is not None:
            raise CodecError("--layers is for one recording and the codec; two recordings are compared as they are")
        return Outcome(asdict(compare_files(arguments.reference, arguments.degraded, picture=arguments.output)))
    settings = settings_of(arguments)
    halves = load_codec(
        settings.codec or default_codec(settings),
        model=settings.model,
        provider=settings.device,
        engine=settings.engine,
        threads=settings.threads,
    )
    tokenizer = Tokenizer(*halves)
    comparison = compare_codec(arguments.reference, tokenizer, layers=arguments.layers, picture=arguments.output)
    return Outcome({"codec": tokenizer.spec.name, "device": tokenizer.device} | asdict(comparison))
