"""What the command line asks for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from benchmarks.harness import RESULTS
from benchmarks.quality.field import NanoFiles, Precision, find_nano, packaged_nano
from codec.files.discovery import AUDIO_SUFFIXES

REPOSITORY = Path(__file__).resolve().parents[2]
BUNDLED = REPOSITORY / "docs" / "listening" / "original"
LAYERS = (1, 2, 4, 8, 12, 16)


@dataclass(frozen=True, slots=True)
class Options:
    """recordings: files, by their names. layers: prefixes of nano. json, plot: where results go. jobs: processes."""

    recordings: Sequence[Path]
    layers: Sequence[int]
    nanos: Sequence[NanoFiles]
    jobs: int
    json: Path
    plot: Path | None


def parse_options(argv: Sequence[str] | None = None) -> Options:
    """The options; argparse ends the process for wrong ones. Raises ContenderError for a folder without a nano."""
    parser = _parser(description="nano beside Opus, Codec2 and Speex: the same recordings, scored in one run.")
    given = parser.parse_args(argv)
    for name in ("jobs", "clips"):
        number = getattr(given, name)
        if number is not None and number < 1:
            parser.error(f"--{name} is 1 or more, not {number}")
    recordings = _recordings(given.speech)[: given.clips]
    if not recordings:
        parser.error(f"--speech {given.speech}: there are no recordings in that folder")
    nanos = _nanos(given.model, given.precision, given.decoder)
    return Options(recordings, given.layers, nanos, given.jobs, given.json, given.plot)


def _parser(*, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description=description,
        epilog="example: python -m benchmarks.quality --speech recordings --layers 4,16 --plot quality.png",
    )

    def add(name: str, metavar: str, text: str, **settings: object) -> None:
        parser.add_argument(name, metavar=metavar, help=text, **settings)  # type: ignore[arg-type]  # argparse checks

    add("--speech", "DIR", "folder of recordings (default: the bundled ones)", type=Path, default=BUNDLED)
    add("--clips", "N", "take only the first N of them", type=int)
    add("--layers", "K,…", "prefixes of nano (default: 1,2,4,8,12,16)", type=_numbers, default=LAYERS)
    add(
        "--model", "DIR", "exports of nano in place of the packaged ones; may be given more than once",
        type=Path, action="append", default=[],
    )  # fmt: skip
    add(
        "--precision", "fp32|int8", "which files of each folder, or both: fp32,int8 (default: fp32)",
        type=_precisions, default=("fp32",),
    )  # fmt: skip
    add(
        "--decoder", "FILE", "one nano more: this decoder behind the first one's encoder; may be given more than once",
        type=Path, action="append", default=[],
    )  # fmt: skip
    add("--jobs", "N", "processes (default: 1)", type=int, default=1)
    add("--json", "FILE", "where the JSON goes (default: %(default)s)", type=Path, default=RESULTS / "quality.json")
    add("--plot", "FILE", "draw quality against rate, a PNG", type=Path)
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"numbers with commas between them, as in 4,8,16, not {text!r}") from error


def _precisions(text: str) -> tuple[Precision, ...]:
    words = text.split(",")
    if not set(words) <= set(get_args(Precision)):
        raise argparse.ArgumentTypeError(f"fp32, int8 or fp32,int8, not {text!r}")
    return tuple(known for known in get_args(Precision) if known in words)


def _recordings(folder: Path) -> list[Path]:
    """Those in the folder itself, by their names."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in AUDIO_SUFFIXES)


def _nanos(folders: Sequence[Path], precisions: Sequence[Precision], decoders: Sequence[Path]) -> list[NanoFiles]:
    """Each with a name of its own: of its folder, in full where two are called alike."""
    short = [folder.name for folder in folders]
    names = short if len(set(short)) == len(short) else [str(folder) for folder in folders]
    if not folders:
        packaged = packaged_nano()
        folders, names = [packaged], [packaged.name]
    nanos = [
        find_nano(folder, precision, name=name if precision == "fp32" else f"{name} {precision}")
        for folder, name in zip(folders, names, strict=True)
        for precision in precisions
    ]
    first = nanos[0]
    return [*nanos, *(NanoFiles(f"{first.name} {file.stem}", first.encoder, file) for file in decoders)]
