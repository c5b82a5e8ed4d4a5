"""`codec decode`: tokens to sound."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from codec.command.options import (
    ROWS_ON_GPU,
    Commands,
    add_command,
    add_folder_arguments,
    add_model_arguments,
    settings_of,
)
from codec.command.report import Outcome
from codec.errors import EXIT_FAILURE, CodecError, TokenFileError
from codec.files.convert import decode_file
from codec.files.decode_folder import decode_folder, first_codec
from codec.files.discovery import Found, find_inputs, is_one_file, output_places
from codec.files.folder import FolderOptions
from codec.files.whole_file import make_folder
from codec.formats.kinds import SUFFIXES
from codec.formats.recordings import TokenRecording, recordings_of
from codec.load import device_of, load_decoder
from codec.session import Decoder
from codec.settings import CodecSettings


def add(commands: Commands) -> None:
    """Describe the subcommand."""
    command = add_command(commands, "decode", run, "tokens to WAV", "codec decode speech.vwt -o rebuilt.wav --layers 8")
    command.add_argument(
        "input", nargs="+", help="token files (.vwt, .pt, .npz, .lmdb), folders of them, patterns ('talks/*.vwt')"
    )
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="WAV file, 16-bit PCM; a folder where the input holds more than one recording",
    )
    add_folder_arguments(command)
    add_model_arguments(command)


def run(arguments: argparse.Namespace) -> Outcome:
    """Do it; raises CodecError."""
    settings = settings_of(arguments)
    words: list[str] = arguments.input
    output: Path = arguments.output
    inputs = find_inputs(words, SUFFIXES)
    recording = _only_recording(inputs[0]) if is_one_file(words) else None
    if recording is not None:
        with recording.open() as tokens:
            name = None if tokens.spec is None else tokens.spec.name
    else:
        name = first_codec(inputs)
    decoder = _load(settings, name, words[0])
    head: dict[str, object] = {"codec": decoder.spec.name, "device": device_of(decoder)}
    if recording is not None:
        if output.is_dir():
            output = output / output_places([inputs[0].place], ".wav", SUFFIXES)[0]
        done = decode_file(Path(inputs[0].source), output, decoder, layers=arguments.layers, tokens=recording.open)
        return Outcome(head | asdict(done))
    if any(output.exists() and output.samefile(word) for word in words if Path(word).is_dir()):
        raise CodecError(f"{output} is the folder of the tokens: what they were made of may lie there — name another")
    rows = arguments.batch or (1 if head["device"] == "cpu" else ROWS_ON_GPU)
    make_folder(output)
    summary = decode_folder(
        inputs, output, decoder, FolderOptions(rows=rows, layers=arguments.layers, force=arguments.force)
    )
    return Outcome(head | asdict(summary), EXIT_FAILURE if summary.failed else 0)


def _only_recording(item: Found) -> TokenRecording | None:
    """The recording of a file that holds no more than one; None for a collection."""
    if isinstance(item.source, str):
        raise TokenFileError(f"Tokens are read from files, not from an address: {item.source}")
    first = next(recordings_of(item.source), None)
    return None if first is None or first.name else first


def _load(settings: CodecSettings, name: str | None, first: str) -> Decoder:
    if settings.codec is None and settings.model is None and name is None:
        raise CodecError(f"{first} does not say which codec made it — name the codec with --codec, or --model")
    return load_decoder(
        settings.codec or (name if settings.model is None else None),
        model=settings.model,
        provider=settings.device,
        engine=settings.engine,
        threads=settings.threads,
    )
