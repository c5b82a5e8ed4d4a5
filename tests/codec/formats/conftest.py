"""Codes of a made-up codec, for files of every kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.formats.file_sink import FileSink
from codec.spec import CodecSpec

SPEC = CodecSpec("made-up", 16000, 1280, 16, 2048, 480, "1" * 64)

WriteFile = Callable[..., NDArray[np.int64]]


@pytest.fixture
def spec() -> CodecSpec:
    return SPEC


@pytest.fixture
def write_file() -> WriteFile:
    """write_file(path, kind, frames=30, layers=None) -> the codes [16, frames] that went in."""

    def write(path: Path, kind: Any, *, frames: int = 30, layers: int | None = None) -> NDArray[np.int64]:
        codes = np.random.default_rng(frames).integers(0, 2048, (16, frames))
        sink = FileSink(path, kind, SPEC, layers=layers)
        sink.write(codes[:, :7])
        sink.write(codes[:, 7:])
        sink.finish(frames * 1280 - 485)
        return codes

    return write
