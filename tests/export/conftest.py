from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from codec.models.checkpoint import rounded_to_half
from codec.models.factory import TorchCodec
from codec.models.half import CodecHalf, DecoderHalf, EncoderHalf
from codec.models.nano import Nano, NanoConfig
from codec.models.nano.config import PitchConfig
from codec.models.nano.weights import nano_spec
from codec.spec import CodecSpec
from export.onnx_export import export_half
from export.wrappers import Half

SMALL = NanoConfig(
    widths=(32, 32, 64, 64),
    depths=(1, 1, 1, 1),
    decoder_widths=(64, 64, 32, 32),
    decoder_depths=(1, 1, 1, 1),
    head_dim=32,
    codebook_dim=8,
    pitch=PitchConfig(lags=32, low_bins=16, width=32, depth=1),
)


@pytest.fixture(scope="session")
def small_codec() -> TorchCodec:
    """A nano of toy size whose every weight is its own, rounded as the export wants it."""
    torch.manual_seed(6)
    model = Nano(SMALL).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    model.quantizer.sound.codebooks.normal_()
    model.quantizer.contour_codebooks.uniform_(80.0, 320.0)
    model.quantizer.usual_codebooks.uniform_(80.0, 320.0)
    model.load_state_dict(rounded_to_half(model.state_dict()))
    spec = nano_spec(model.state_dict(), version="nano-1", config=SMALL)
    return TorchCodec(EncoderHalf(model.encoder, model.quantizer), DecoderHalf(model.decoder, model.quantizer), spec)


@pytest.fixture(scope="session")
def exported(small_codec: TorchCodec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its two halves as files."""
    folder = tmp_path_factory.mktemp("exported")
    export_half("encoder", small_codec.encoder, small_codec.spec, folder / "encoder.onnx")
    export_half("decoder", small_codec.decoder, small_codec.spec, folder / "decoder.onnx")
    return folder


@pytest.fixture
def traced_before(exported: Path, small_codec: TorchCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command exports the toy codec, and has it traced already: tracing takes longer than all the rest."""

    def copy(half: Half, _module: CodecHalf, _spec: CodecSpec, path: Path) -> Path:
        shutil.copyfile(exported / f"{half}.onnx", path)
        return path

    monkeypatch.setattr("export.variants.export_half", copy)
    monkeypatch.setattr("export.cli.load_torch_codec", lambda _codec, _model: small_codec)
