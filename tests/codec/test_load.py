"""Codecs by name and by path."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import codec.packaged
from codec import load
from codec.errors import CodecError, ModelError, ModelMissingError
from codec.spec import CodecSpec

ModelFactory = Callable[..., Path]


@pytest.fixture
def packaged(tmp_path: Path, make_model: ModelFactory, toy_spec: CodecSpec, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose nano-1 is the toy codec."""
    folder = tmp_path / "assets" / "nano-1"
    folder.mkdir(parents=True)
    for half in ("encoder", "decoder"):
        path = make_model(half, spec=replace(toy_spec, name="nano"))
        (folder / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(codec.packaged, "files", lambda package: {"codec": tmp_path}[package])
    return folder


@pytest.mark.parametrize("name", ["nano", "nano-1", None])
def test_the_packaged_codec_is_found_by_name_and_version(packaged: Path, name: str | None) -> None:
    decoder = load.load_decoder(name)
    assert decoder.spec.name == "nano"
    assert decoder.model.path == packaged / "decoder.onnx"
    assert load.load_encoder(name, threads=2).spec == decoder.spec
    assert load.load_onnx_encoder(name).active_provider == "cpu"


def test_an_installation_without_the_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec.packaged, "files", lambda _: tmp_path)
    with pytest.raises(ModelMissingError, match="lacks the decoder of nano"):
        load.load_decoder("nano")
    with pytest.raises(ModelMissingError, match="name its encoder with --model"):
        load.load_encoder("qwen3-12hz")
    with pytest.raises(ModelError, match="Unknown codec 'mp3' — known are nano, qwen3-12hz"):
        load.load_decoder("mp3")


def test_a_file_or_a_folder_may_be_named(model_folder: Path) -> None:
    assert load.load_decoder("toy", model=model_folder).spec.name == "toy"
    assert load.load_decoder(None, model=str(model_folder / "decoder.onnx")).spec.name == "toy"
    assert load.load_encoder("toy", model=model_folder).spec.name == "toy"


def test_a_model_of_another_codec_is_refused(decoder_path: Path) -> None:
    with pytest.raises(ModelError, match="holds the codec toy, not nano") as caught:
        load.load_decoder("nano", model=decoder_path)
    assert caught.value.exit_code == 76


def test_the_wrong_half_is_refused(encoder_path: Path) -> None:
    with pytest.raises(ModelError, match="holds the encoder of toy, not the decoder"):
        load.load_decoder("toy", model=encoder_path)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"File not found at .*decoder.onnx"):
        load.load_decoder("nano", model=tmp_path)


def test_the_torch_engine_comes_from_its_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def factory(codec: str, model: Path | None, device: str) -> str:
        asked.extend([codec, model, device])
        return "an encoder"

    fake = SimpleNamespace(load_torch_encoder=factory)
    monkeypatch.setitem(sys.modules, "codec.models.factory", fake)
    assert str(load.load_encoder("nano", model="weights", engine="torch", provider="cuda")) == "an encoder"
    assert asked == ["nano", Path("weights"), "cuda"]


def test_without_the_torch_side_the_engine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "codec.models.factory", None)
    with pytest.raises(CodecError, match="torch"):
        load.load_encoder("nano", engine="torch")
