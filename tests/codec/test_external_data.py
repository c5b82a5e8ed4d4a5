"""Weights in a file beside the model: found, checked, and asked for in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from codec.errors import ModelError, ModelMissingError
from codec.external_data import DataFile, data_file_of, read_metadata
from codec.model_file import OnnxModel

ModelFactory = Callable[..., Path]

CONTENT = b"weights" * 100


@pytest.fixture
def model(make_model: ModelFactory) -> Path:
    """A toy decoder that names a data file, which is there."""
    entry = {"file": "decoder-1.data", "bytes": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    path = make_model("decoder", metadata={"data": json.dumps(entry)})
    (path.parent / "decoder-1.data").write_bytes(CONTENT)
    return path


def test_metadata_are_read_as_onnx_runtime_reads_them(model: Path) -> None:
    assert read_metadata(model) == OnnxModel.load(model).runtime.get_modelmeta().custom_metadata_map


def test_a_file_with_all_its_weights_inside_has_no_data_file(decoder_path: Path) -> None:
    assert data_file_of(decoder_path) is None


def test_the_data_file_is_described(model: Path) -> None:
    data = data_file_of(model)
    assert data == DataFile("decoder-1.data", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def test_a_missing_data_file_is_asked_for_by_name(model: Path) -> None:
    (model.parent / "decoder-1.data").unlink()
    with pytest.raises(ModelMissingError, match=r"weights in decoder-1\.data, which is not beside it: copy both"):
        OnnxModel.load(model)


def test_a_data_file_cut_short_is_refused(model: Path) -> None:
    (model.parent / "decoder-1.data").write_bytes(CONTENT[:-1])
    with pytest.raises(ModelError, match=r"699 bytes, decoder\.onnx was written with one of 700"):
        OnnxModel.load(model)


def test_the_data_file_of_another_model_is_refused(model: Path) -> None:
    (model.parent / "decoder-1.data").write_bytes(CONTENT[::-1])
    with pytest.raises(ModelError, match=r"is not the file that decoder\.onnx was written with"):
        OnnxModel.load(model)


@pytest.mark.parametrize(
    "entry",
    [
        "{",
        "[]",
        "{}",
        '{"file": "../decoder-1.data", "bytes": 1, "sha256": ""}',
        '{"file": "/etc/passwd", "bytes": 1, "sha256": ""}',
        '{"file": "", "bytes": 1, "sha256": ""}',
        '{"file": "x", "bytes": "1", "sha256": ""}',
        '{"file": "..", "bytes": 4096, "sha256": ""}',
        '{"file": "a\\u0000b", "bytes": 1, "sha256": ""}',
        '{"file": "\\ud800", "bytes": 1, "sha256": ""}',
    ],
)
def test_a_description_that_makes_no_sense_is_refused(make_model: ModelFactory, entry: str) -> None:
    with pytest.raises(ModelError, match=r"export it again|no plain file name"):
        OnnxModel.load(make_model("decoder", metadata={"data": entry}))


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 40, b"\x72\xff\xff\xff\xff\x0f", b"\x72\x03\x0a\x7f", bytes(range(256))]
)
def test_what_is_no_model_has_no_metadata(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    assert "voxwire.data" not in read_metadata(path)
