from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codec.models.factory import TorchCodec
from codec.models.half import CodecHalf
from codec.spec import CodecSpec
from export.speech import bundled_speech
from export.wrappers import Half
from tests.small_nano import make_small_nano

HEARD_S = 12
"""Half of it is calibrated on, the other half judged."""


@pytest.fixture(scope="session")
def small_codec() -> TorchCodec:
    """A nano of toy size whose every weight is its own, rounded as the export wants it."""
    return make_small_nano()


@pytest.fixture(scope="session")
def exported(small_nano_onnx: Path) -> Path:
    """Its two halves as files."""
    return small_nano_onnx


@pytest.fixture
def short_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parity over 8 s of each row for each step size: longer than any state remembers, the reset of a row included."""
    monkeypatch.setattr("export.parity.DECODER_FRAMES", 100)
    monkeypatch.setattr("export.parity.ENCODER_FRAMES", 100)


@pytest.fixture
def traced_before(
    exported: Path, small_codec: TorchCodec, short_schedule: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command exports the toy codec, and has it traced already: tracing takes longer than all the rest.

    It hears the beginning of the recording only: a choice of layers quantises again and again, each time over all of
    the speech.
    """

    def copy(half: Half, _module: CodecHalf, _spec: CodecSpec, path: Path) -> Path:
        shutil.copyfile(exported / f"{half}.onnx", path)
        return path

    monkeypatch.setattr("export.variants.export_half", copy)
    monkeypatch.setattr("export.cli.load_torch_codec", lambda _codec, _model: small_codec)
    heard = bundled_speech(small_codec.spec)[: HEARD_S * small_codec.spec.sample_rate]
    monkeypatch.setattr("export.speech.bundled_speech", lambda _spec: heard)
