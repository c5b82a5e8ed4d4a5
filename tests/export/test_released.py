"""The weights in the package: they are what torch computes, and they are all there."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import pytest

from codec.errors import CheckpointError
from codec.load import load_decoder, load_encoder
from codec.models.factory import load_torch_codec
from codec.models.nano.weights import load_nano
from codec.models.session import TorchDecoder, TorchEncoder
from export.cli import main
from export.parity import measure_parity

RELEASE = Path(str(files("codec").joinpath("assets", "nano-1")))
MAX_BYTES = 25_000_000


def test_the_weights_in_the_files_hash_to_what_the_files_say() -> None:
    _, spec = load_nano()
    assert load_encoder("nano").spec == spec
    assert load_decoder("nano").spec == spec


@pytest.mark.slow
def test_the_packaged_decoder_is_the_torch_model() -> None:
    loaded = load_torch_codec("nano", None)
    report = measure_parity(RELEASE / "decoder.onnx", TorchDecoder(loaded.decoder, loaded.spec))
    assert report.max_abs_diff < 1e-4


@pytest.mark.slow
def test_the_packaged_encoder_is_the_torch_model() -> None:
    loaded = load_torch_codec("nano", None)
    report = measure_parity(RELEASE / "encoder.onnx", TorchEncoder(loaded.encoder, loaded.spec))
    assert report.max_abs_diff < 1e-4


def test_both_halves_together_stay_under_25_megabytes() -> None:
    assert sum(path.stat().st_size for path in RELEASE.iterdir()) <= MAX_BYTES


def test_the_parity_reports_and_credits_lie_beside_the_files() -> None:
    for half in ("encoder", "decoder"):
        report = json.loads((RELEASE / f"{half}.parity.json").read_text())
        assert report["half"] == half
        assert report["max_abs_diff"] <= report["tolerance"]
        assert set(report["step_frames"]) == {1, 4, 5, 25}
    assert "CC BY 4.0" in (RELEASE / "CREDITS.md").read_text()
    assert "codec.models.nano.train" in (RELEASE / "TRAINING.md").read_text()


def test_torch_and_onnx_engines_make_the_same_codes() -> None:
    pcm = (0.1 * np.random.default_rng(0).standard_normal((1, 10 * 1280))).astype(np.float32)
    codes = []
    for engine in ("onnx", "torch"):
        with load_encoder("nano", engine=engine).session() as session:
            codes.append(session.encode(pcm))
    assert (codes[0] == codes[1]).mean() > 0.95


def test_a_folder_without_weights_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decoder", "--model", str(tmp_path), "-o", str(tmp_path / "out")]) == 76
    assert "give a checkpoint or a release of nano" in capsys.readouterr().err
    assert main(["decoder", "--model", str(tmp_path / "none"), "-o", str(tmp_path / "out")]) == 1
    assert "File not found at" in capsys.readouterr().err


def test_a_release_with_a_missing_or_foreign_weight_is_refused(tmp_path: Path) -> None:
    for half in ("encoder", "decoder"):
        model = onnx.load(RELEASE / f"{half}.onnx")
        if half == "decoder":
            for constant in model.graph.initializer:
                if constant.name == "decoder.head.shape.bias.float16":
                    constant.name = "something.else"
        onnx.save(model, tmp_path / f"{half}.onnx")
    with pytest.raises(CheckpointError, match=r"missing \['decoder.head.shape.bias'\]"):
        load_nano(tmp_path)
