"""The files that are measured: a release, and what `codec-export` makes of it. Made once, and kept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from benchmarks.qwen3.pipe import REPOSITORY

CODEC = "qwen3-12hz"
INT8 = ("--precision", "int8")
WANTED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("decoder", "", ()),
    ("decoder", "int8", INT8),
    ("decoder", "int8-all", (*INT8, "--max-error", "inf")),
    ("encoder", "", ()),
)
"""What is exported where it is not there yet: the half, what the file's name says besides, and how it is asked for."""
STEPS = (1, 4)
"""Frames of a step that an open graph is measured with."""


class OnnxFile(NamedTuple):
    """One file to measure, and how many frames a step it is given."""

    half: str
    path: Path
    frames: int

    @property
    def form(self) -> str:
        """What the file's name says of it besides the half: "fp32", "int8", "int8-all-reduced"."""
        parts = [part for part in self.path.stem.split(".")[1:] if not part.endswith("frames")]
        return " ".join(parts) or "fp32"


def release_folder(given: Path | None, cache: Path) -> Path:
    """`given`, or a release of the real configuration with random weights, kept in `cache`."""
    if given is not None:
        return given
    folder = cache / "release"
    if not (folder / "config.json").exists():  # written last
        print(f"making random weights of the released configuration in {folder} (682 MB)", file=sys.stderr)
        make = (
            "import sys, pathlib; from codec.models.qwen3.lively import released_document, save_lively; "
            "save_lively(released_document(), pathlib.Path(sys.argv[1]))"
        )
        subprocess.run([sys.executable, "-c", make, str(folder)], check=True, cwd=REPOSITORY)
    return folder


def export_missing(release: Path, folder: Path) -> list[str]:
    """Export to `folder` what is wanted and not there, in processes of their own; returns what could not be made."""
    failed = []
    reduced = import_module("export.quantise").lacks_vnni()
    for half, form, flags in WANTED:
        words = [sys.executable, "-m", "export", half, "--codec", CODEC, "--model", str(release), *flags]
        if form and reduced:  # with the full range such a processor's sums saturate
            form, words = f"{form}-reduced", [*words, "--reduced-range"]
        stem = f"{half}.{form}" if form else half
        if (folder / f"{stem}.onnx").exists():
            continue
        print(f"exporting {stem}.onnx to {folder}: minutes, once", file=sys.stderr)
        done = subprocess.run([*words, "-o", str(folder)], check=False, cwd=REPOSITORY, stdout=sys.stderr)
        if done.returncode:
            failed.append(f"{stem}.onnx could not be exported (code {done.returncode})")
    return failed


def onnx_files(folder: Path) -> Iterator[OnnxFile]:
    """Every file of `folder` with the steps it is measured at: those for one number of frames with that number."""
    for half in ("decoder", "encoder"):
        for path in sorted(folder.glob(f"{half}*.onnx"), key=lambda path: ("int8" in path.stem, path.stem)):
            fixed = [part.removesuffix("frames") for part in path.stem.split(".") if part.endswith("frames")]
            for frames in (int(fixed[0]),) if fixed else STEPS:
                yield OnnxFile(half, path, frames)
