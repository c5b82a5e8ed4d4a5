"""Speech to rebuild, and the programs that do it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from codec import Tokenizer, read_audio

PROGRAMS = {"opusenc": "opus-tools", "opusdec": "opus-tools", "c2enc": "codec2", "c2dec": "codec2"} | {
    "speexenc": "speex",
    "speexdec": "speex",
}
"""And the Debian package of each."""

RATE_HZ = 16000


@pytest.fixture
def other_codecs() -> None:
    """Skips where the programs of other codecs are missing; where CI=true that is a failure."""
    missing = sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})
    if missing:
        end = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        end(f"this needs apt-get install {' '.join(missing)}")


@pytest.fixture(scope="module")
def speech(repository: Path) -> NDArray[np.float32]:
    """Two seconds of it, in the middle of a sentence."""
    return read_audio(repository / "codec/assets/speech_cc0.flac", RATE_HZ)[RATE_HZ : 3 * RATE_HZ]


@pytest.fixture(scope="session")
def nano_tokenizer() -> Tokenizer:
    """The packaged codec."""
    return Tokenizer.load("nano", device="cpu")


@pytest.fixture
def only_stoi(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other measures have tests of their own, and take seconds."""
    find = importlib.util.find_spec
    place = "codec.comparison.measures.importlib.util.find_spec"
    others = ("pesq", "resemblyzer", "utmos", "utmosv2")
    monkeypatch.setattr(place, lambda name: None if name in others else find(name))
