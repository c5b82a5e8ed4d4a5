"""The hash of a model file in the report beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from codec.errors import ModelError
from codec.model_file import OnnxModel
from codec.packaged import PACKAGED_VERSIONS, packaged_folder
from codec.recorded_hash import MAX_REPORT_BYTES, report_of

ModelFactory = Callable[..., Path]


@pytest.fixture
def model(make_model: ModelFactory) -> Path:
    """A toy decoder with its report."""
    path = make_model("decoder")
    record(path, hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def record(path: Path, sha256: object) -> None:
    report_of(path).write_text(json.dumps({"half": "decoder", "file_sha256": sha256}))


def flip_a_weight(path: Path) -> None:
    """One bit of one weight: the graph stays sound."""
    proto = onnx.load(path)
    largest = max(proto.graph.initializer, key=lambda tensor: len(numpy_helper.to_array(tensor).tobytes()))
    weights = numpy_helper.to_array(largest).tobytes()
    content = bytearray(path.read_bytes())
    content[content.index(weights) + len(weights) // 2] ^= 0x40
    path.write_bytes(content)


def test_the_file_that_the_report_is_of_is_opened(model: Path) -> None:
    assert OnnxModel.load(model).file_sha256 == json.loads(report_of(model).read_text())["file_sha256"]


def test_a_flipped_weight_is_refused_in_one_sentence(model: Path) -> None:
    flip_a_weight(model)
    with pytest.raises(ModelError, match=r"decoder\.onnx is not the file that decoder\.parity\.json") as caught:
        OnnxModel.load(model)
    assert caught.value.exit_code == 76
    assert "\n" not in str(caught.value)


def test_a_flipped_weight_is_not_seen_by_anything_else(model: Path) -> None:
    flip_a_weight(model)
    report_of(model).unlink()
    OnnxModel.load(model)


@pytest.mark.parametrize("recorded", [12, "", ["0" * 64], {"sha256": "0" * 64}])
def test_a_record_that_is_no_hash_is_not_taken_for_a_match(model: Path, recorded: object) -> None:
    record(model, recorded)
    with pytest.raises(ModelError, match="instead of"):
        OnnxModel.load(model)


@pytest.mark.parametrize(
    "report",
    [b"{}", b"[]", b"no JSON", b"\xff", b"[" * 100_000, b" " * (MAX_REPORT_BYTES + 1), b'{"file_sha256": null}'],
    ids=["empty", "list", "text", "bytes", "deep", "long", "null"],
)
def test_a_report_without_a_hash_says_nothing(model: Path, report: bytes) -> None:
    report_of(model).write_bytes(report)
    OnnxModel.load(model)


def test_a_model_without_a_report_is_opened(decoder_path: Path) -> None:
    assert not report_of(decoder_path).exists()
    OnnxModel.load(decoder_path)


@pytest.mark.parametrize("version", PACKAGED_VERSIONS.values())
@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_packaged_models_record_their_hash(version: str, half: str) -> None:
    folder = packaged_folder(version)
    recorded = json.loads(folder.joinpath(f"{half}.parity.json").read_text())["file_sha256"]
    assert hashlib.sha256(folder.joinpath(f"{half}.onnx").read_bytes()).hexdigest() == recorded
