"""Opening ONNX files: what is checked, what is reported."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnxruntime as ort
import pytest

from codec.errors import DeviceError, ModelError, ModelMissingError
from codec.model_file import OnnxModel, StateSpec
from codec.spec import CodecSpec

ModelFactory = Callable[..., Path]


def test_a_file_says_what_it_is(decoder_path: Path, toy_spec: CodecSpec) -> None:
    model = OnnxModel.load(decoder_path)
    assert (model.half, model.spec, model.precision, model.opset) == ("decoder", toy_spec, "fp32", "18")
    assert model.states == (StateSpec("level", (1,), "float32"), StateSpec("count", (), "int64"))
    assert model.extra_outputs == ("tiny",)
    assert (model.fixed_frames, model.fixed_batch) == (None, None)
    assert model.file_sha256 == hashlib.sha256(decoder_path.read_bytes()).hexdigest()
    assert (model.requested_provider, model.active_provider, model.threads) == ("cpu", "cpu", 1)


def test_threads_are_explicit_and_nobody_spins(decoder_path: Path) -> None:
    options = OnnxModel.load(decoder_path, threads=2).runtime.get_session_options()
    assert options.intra_op_num_threads == 2
    assert options.inter_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.get_session_config_entry("session.set_denormal_as_zero") == "1"


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="this machine has CUDA")
def test_cuda_without_cuda_is_an_error_and_not_the_cpu(decoder_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"built without it.*voxwire\[cuda\]") as caught:
        OnnxModel.load(decoder_path, provider="cuda")
    assert caught.value.exit_code == 78


def test_cuda_that_fails_to_start_is_an_error_and_not_the_cpu(
    decoder_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build with CUDA on a machine without a GPU makes a session all the same: on the CPU."""
    on_cpu = OnnxModel.load(decoder_path).runtime
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", lambda *arguments, **options: on_cpu)
    with pytest.raises(DeviceError, match="cannot use it here"):
        OnnxModel.load(decoder_path, provider="cuda")


def test_a_gpu_computes_in_true_float32(decoder_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ONNX Runtime is asked for; that it does so takes a GPU to see."""
    on_cpu = OnnxModel.load(decoder_path).runtime
    asked: list[object] = []

    def open_session(*_: object, providers: list[object], **__: object) -> ort.InferenceSession:
        asked.extend(providers)
        return on_cpu

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", open_session)
    OnnxModel.load(decoder_path, provider="auto")
    assert asked == [("CUDAExecutionProvider", {"use_tf32": "0"}), "CPUExecutionProvider"]


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="this machine has CUDA")
def test_auto_takes_what_is_there_and_says_which(decoder_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        model = OnnxModel.load(decoder_path, provider="auto")
    assert (model.requested_provider, model.active_provider) == ("auto", "cpu")
    assert "runs on cpu" in caplog.text


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"File not found at .*none.onnx") as caught:
        OnnxModel.load(tmp_path / "none.onnx")
    assert caught.value.exit_code == 66
    with pytest.raises(ModelMissingError, match="Cannot read the model"):
        OnnxModel.load(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.95])
def test_a_truncated_file_is_refused(decoder_path: Path, tmp_path: Path, share: float) -> None:
    data = decoder_path.read_bytes()
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ModelError) as caught:
        OnnxModel.load(cut)
    assert caught.value.exit_code == 76
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_onnx_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(ModelError, match="not a readable ONNX model"):
        OnnxModel.load(tmp_path / "text.onnx")


@pytest.mark.parametrize("key", ["format", "half", "codec", "precision", "opset", "states"])
def test_an_onnx_file_that_is_not_ours_is_refused(make_model: ModelFactory, key: str) -> None:
    with pytest.raises(ModelError, match=f"not a Voxwire codec model: it lacks the metadata voxwire.{key}"):
        OnnxModel.load(make_model("decoder", metadata={key: None}))


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("format", "2", "format is '2', this version reads '1'"),
        ("half", "both", "half is 'both'"),
        ("half", "encoder", "no input named pcm"),
        ("codec", "nano", "codec is not JSON"),
        ("codec", "[]", "not a JSON object"),
        ("codec", "{}", "lacks name, sample_rate"),
        ("states", "[" * 100_000, "states is not JSON"),
        ("states", "{}", "not a JSON list"),
        ("states", "[1]", "not a JSON object"),
        ("states", '[{"name": "level", "shape": [1], "dtype": "complex"}]', "one of the dtypes"),
        ("states", '[{"name": "level", "shape": ["B"], "dtype": "float32"}]', "fixed lengths"),
        ("states", '[{"name": "level", "shape": [1], "dtype": "float32"}]', "does not name: count"),
        ("states", '[{"name": "tail", "shape": [1], "dtype": "float32"}]', "no input named tail"),
        ("states", '[{"name": "level", "shape": [1], "dtype": "bool"}]', r"level is tensor\(float\)"),
    ],
)
def test_metadata_must_agree_with_the_graph(make_model: ModelFactory, key: str, text: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        OnnxModel.load(make_model("decoder", metadata={key: text}))


@pytest.mark.parametrize("shape", [[3], [], [1, 1]])
def test_states_of_another_shape_are_refused(make_model: ModelFactory, shape: list[int]) -> None:
    states = [{"name": "level", "shape": shape, "dtype": "float32"}, {"name": "count", "shape": [], "dtype": "int64"}]
    with pytest.raises(ModelError, match="its state level is"):
        OnnxModel.load(make_model("decoder", metadata={"states": json.dumps(states)}))


@pytest.mark.parametrize("shape", [[2**27], [2**20, 2**20], [2**62, 2**62]])
def test_a_state_of_impossible_size_is_refused_before_it_is_made(make_model: ModelFactory, shape: list[int]) -> None:
    states = [{"name": "level", "shape": shape, "dtype": "float32"}]
    with pytest.raises(ModelError, match="level has more than"):
        OnnxModel.load(make_model("decoder", metadata={"states": json.dumps(states)}))


def test_a_file_with_a_changed_byte_is_refused_in_words_or_still_keeps_the_contract(
    decoder_path: Path, tmp_path: Path
) -> None:
    """Not every change can be seen: a number in the weights is as good as another. See docs/security.md."""
    data = decoder_path.read_bytes()
    changed = tmp_path / "changed.onnx"
    refusals: list[ModelError] = []
    places = range(0, len(data), max(1, len(data) // 150))
    for place in places:
        changed.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            assert OnnxModel.load(changed).half == "decoder"
        except ModelError as error:
            refusals.append(error)
    assert len(refusals) > len(places) / 3
    assert {error.exit_code for error in refusals} <= {66, 76}
    assert not [error for error in refusals if "\n" in str(error)]


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_another_number_of_layers_is_refused(make_model: ModelFactory, toy_spec: CodecSpec, half: str) -> None:
    with pytest.raises(ModelError, match="4 layers of codes, its description 5"):
        OnnxModel.load(make_model(half, spec=replace(toy_spec, num_layers=5)))


def test_impossible_arguments_are_refused(decoder_path: Path) -> None:
    with pytest.raises(ModelError, match="expected auto, cpu or cuda"):
        OnnxModel.load(decoder_path, provider="tpu")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="at least one thread"):
        OnnxModel.load(decoder_path, threads=0)
