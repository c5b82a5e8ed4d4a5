"""`codec encode`: sound to tokens."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from codec.audio.web.client import is_address
from codec.command.options import (
    ROWS_ON_GPU,
    Commands,
    add_command,
    add_folder_arguments,
    add_model_arguments,
    default_codec,
    settings_of,
)
from codec.command.report import Outcome
from codec.errors import EXIT_FAILURE
from codec.files.convert import encode_file
from codec.files.discovery import AUDIO_SUFFIXES, find_inputs, is_one_file, output_places
from codec.files.encode_folder import encode_folder
from codec.files.folder import FolderOptions
from codec.files.whole_file import make_folder
from codec.formats.kinds import FORMATS, format_by_name
from codec.load import device_of, load_encoder
from codec.session import Encoder


def add(commands: Commands) -> None:
    """Describe the subcommand."""
    command = add_command(commands, "encode", run, "sound to tokens", "codec encode speech.flac -o speech.vwt")
    command.add_argument(
        "input", nargs="+", help="WAV, FLAC, OGG, MP3 or M4A: files, folders, patterns ('talks/**/*.flac'), addresses"
    )
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="token file or cache; a folder where the input is more than one",
    )
    command.add_argument("--format", choices=FORMATS, help="default: by the ending of --output, else vwt")
    command.add_argument(
        "--full-attention",
        action="store_true",
        help="qwen3-12hz, torch engine: no window, as the official package on a CPU; recordings up to 5 minutes",
    )
    add_folder_arguments(command)
    add_model_arguments(command)


def run(arguments: argparse.Namespace) -> Outcome:
    """Do it; raises CodecError."""
    settings = settings_of(arguments)
    words: list[str] = arguments.input
    output: Path = arguments.output
    single = is_one_file(words)
    # Before the model: what cannot be found need not wait for it.
    inputs = [] if single else find_inputs(words, AUDIO_SUFFIXES)
    encoder = load_encoder(
        settings.codec or default_codec(settings),
        model=settings.model,
        provider=settings.device,
        engine=settings.engine,
        threads=settings.threads,
        full_attention=arguments.full_attention,
    )
    head: dict[str, object] = {"codec": encoder.spec.name, "device": device_of(encoder)}
    kind = format_by_name(output, arguments.format)
    if single:
        return Outcome(head | _encode_one(words[0], output, encoder, kind, arguments.layers))
    rows = arguments.batch or (1 if head["device"] == "cpu" else ROWS_ON_GPU)
    if kind != "lmdb":
        make_folder(output)
    summary = encode_folder(
        inputs, output, kind, encoder, FolderOptions(rows=rows, layers=arguments.layers, force=arguments.force)
    )
    return Outcome(head | {"format": kind} | asdict(summary), EXIT_FAILURE if summary.failed else 0)


def _encode_one(word: str, output: Path, encoder: Encoder, kind: str, layers: int | None) -> dict[str, object]:
    source: Path | str = word if is_address(word) else Path(word)
    if output.is_dir() and kind != "lmdb":
        place = find_inputs([word], AUDIO_SUFFIXES)[0].place
        output = output / output_places([place], f".{kind}", AUDIO_SUFFIXES)[0]
    done = encode_file(source, output, encoder, layers=layers, kind=kind)
    rate_kbps = 8 * done.bytes_written / done.seconds / 1000 if done.seconds else 0.0
    return asdict(done) | {"file_kbps": round(rate_kbps, 3)}
