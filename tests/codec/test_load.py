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
from codec.errors import CodecError, DeviceError, ModelError, ModelMissingError
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
    decoder = load.load_onnx_decoder(name)
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


def test_both_halves_are_of_one_codec(model_folder: Path, make_model: ModelFactory, toy_spec: CodecSpec) -> None:
    encoder, decoder = load.load_codec("toy", model=model_folder)
    assert encoder.spec == decoder.spec == toy_spec
    assert (load.device_of(encoder), load.device_of(decoder)) == ("cpu", "cpu")
    other = make_model("decoder", spec=replace(toy_spec, weights_sha256="0" * 64))
    (other.parent / "encoder.onnx").write_bytes((model_folder / "encoder.onnx").read_bytes())
    with pytest.raises(ModelError, match="one cannot read what the other writes"):
        load.load_codec(None, model=other.parent)


def test_released_weights_run_in_torch_unless_an_export_lies_beside_them(tmp_path: Path, decoder_path: Path) -> None:
    assert load.engine_of(tmp_path, "encoder") == load.engine_of(None, "encoder") == "onnx"
    (tmp_path / "config.json").write_text("{}")
    assert load.engine_of(tmp_path, "encoder") == "torch"
    assert load.engine_of(tmp_path, "encoder", "onnx") == "onnx"
    (tmp_path / "decoder.onnx").write_bytes(decoder_path.read_bytes())
    assert (load.engine_of(tmp_path, "encoder"), load.engine_of(tmp_path, "decoder")) == ("torch", "onnx")


def test_released_weights_are_read_once_for_both_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")
    asked: list[object] = []

    def pair(codec: str, model: Path, device: str, **options: bool) -> tuple[str, str]:
        asked.append((codec, model, device, options))
        return "an encoder", "a decoder"

    fake = SimpleNamespace(load_torch_pair=pair, use_threads=asked.append)
    monkeypatch.setitem(sys.modules, "codec.models.factory", fake)
    halves = load.load_codec(None, model=tmp_path, provider="cuda:1", threads=3, full_attention=True)
    assert [str(half) for half in halves] == ["an encoder", "a decoder"]
    assert asked == [3, ("qwen3-12hz", tmp_path, "cuda:1", {"full_attention": True})]


@pytest.mark.parametrize(
    ("device", "provider"), [("cpu", "cpu"), ("cuda", "cuda"), ("cuda:0", "cuda"), ("auto", "auto")]
)
def test_devices_have_one_name_for_both_engines(device: str, provider: str) -> None:
    assert load.onnx_provider(device) == provider


@pytest.mark.parametrize("device", ["cuda:1", "gpu", "cpu:0", "", "cuda:"])
def test_a_device_that_onnx_runtime_has_not_is_refused(decoder_path: Path, device: str) -> None:
    with pytest.raises(DeviceError) as caught:
        load.load_decoder(None, model=decoder_path, provider=device)
    assert caught.value.exit_code == 78


def test_full_attention_is_for_torch(model_folder: Path) -> None:
    with pytest.raises(CodecError, match="needs the released weights and the torch engine"):
        load.load_encoder(None, model=model_folder, full_attention=True)


def test_a_half_in_onnx_is_asked_for_by_its_own_functions(model_folder: Path) -> None:
    assert load.load_onnx_decoder(None, model=model_folder).active_provider == "cpu"
    assert load.load_onnx_encoder("toy", model=model_folder / "encoder.onnx").model.threads == 1
