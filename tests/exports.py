"""The small codecs as ONNX files, exported by a process beside the suite.

Tracing takes more than a minute of one core and most tests do not wait for it: it is begun before the first test, with
what time the tests leave over, and gets its share as soon as somebody waits.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

SMALL_CODECS = {"small_qwen3_onnx": "qwen3-12hz", "small_nano_onnx": "nano"}
"""By the fixture that hands the files out, in the order in which the suite asks for them."""

_REPOSITORY = Path(__file__).resolve().parent.parent
_PATIENCE_S = 550.0
_LOOK_S = 0.05


class Exports:
    """Makes a folder with encoder.onnx and decoder.onnx for each of `codecs`. A context manager: it ends what runs.

    qwen3: the folder of the small Qwen's weights.
    """

    def __init__(self, codecs: Sequence[str], folder: Path, *, qwen3: Path) -> None:
        self._folder = folder
        self._command = [sys.executable, "-m", "tests.exports", str(folder), str(qwen3), *codecs]
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=_REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def of(self, codec: str) -> Path:
        """The folder of `codec`, once it is there."""
        assert self._process is not None  # use it in a `with`
        if self._process.poll() is None:
            os.sched_setscheduler(self._process.pid, os.SCHED_OTHER, os.sched_param(0))
        folder, deadline = self._folder / codec, time.monotonic() + _PATIENCE_S
        while not folder.exists():
            ended = self._process.poll() is not None and not folder.exists()
            if ended or time.monotonic() > deadline:
                pytest.fail(f"{codec} was not exported:\n{self._log.read_text(errors='replace')}")
            time.sleep(_LOOK_S)
        return folder


def main(folder: Path, qwen3: Path, codecs: Sequence[str]) -> None:
    """Export one codec after the other; the folder of each has its name when both halves are in it."""
    # Only while nobody else wants the core: tests that measure times run meanwhile.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    from codec.models.factory import load_torch_codec
    from export.onnx_export import export_half
    from tests.small_nano import make_small_nano

    for codec in codecs:
        loaded = make_small_nano() if codec == "nano" else load_torch_codec(codec, qwen3)
        unfinished = folder / f"{codec}.unfinished"
        unfinished.mkdir()
        export_half("encoder", loaded.encoder, loaded.spec, unfinished / "encoder.onnx")
        export_half("decoder", loaded.decoder, loaded.spec, unfinished / "decoder.onnx")
        unfinished.rename(folder / codec)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
