"""Loading a release: strict about every tensor, and never more than files of numbers."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from codec.errors import CheckpointError
from codec.models.checkpoint import weights_sha256
from codec.models.factory import load_torch_codec
from codec.models.qwen3 import Qwen3Tokenizer, load_qwen3
from codec.models.qwen3.weights import WEIGHTS_NAME, read_tensors

Tensors = dict[str, Tensor]
GAMMA = "decoder.upsample.0.1.gamma"
CODEBOOK = "encoder.quantizer.acoustic_residual_vector_quantizer.layers.3.codebook.embed_sum"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def copy(release: Path, tmp_path: Path) -> Path:
    """A release of its own that a test may spoil."""
    return Path(shutil.copytree(release, tmp_path / "release"))


def rewrite(folder: Path, change: Callable[[Tensors], object]) -> None:
    """The weights of `folder` after `change`, which works on the dictionary itself."""
    tensors = {name: tensor.clone() for name, tensor in read_tensors(folder).items()}
    change(tensors)
    save_file(tensors, folder / WEIGHTS_NAME)


def split(folder: Path) -> None:
    """Weights in two pieces and an index, as larger releases come."""
    tensors = read_tensors(folder)
    names = {name: f"model-0000{1 + place % 2}-of-00002.safetensors" for place, name in enumerate(sorted(tensors))}
    for file in set(names.values()):
        save_file({name: tensors[name] for name in names if names[name] == file}, folder / file)
    (folder / WEIGHTS_NAME).unlink()
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": names}))


def refused(folder: Path) -> str:
    """The one sentence that loading ends with."""
    with pytest.raises(CheckpointError) as caught:
        load_qwen3(folder)
    assert caught.value.exit_code == 76
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_the_hash_is_that_of_the_file_and_is_logged(release: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        _, spec = load_qwen3(release)
    assert spec.weights_sha256 == weights_sha256(read_tensors(release))
    assert (spec.name, spec.sample_rate, spec.frame_size, spec.delay_samples) == ("qwen3-12hz", 24_000, 1920, 0)
    assert spec.weights_sha256 in caplog.text


def test_weights_in_pieces_are_the_same_codec(release: Path, copy: Path, tokenizer: Qwen3Tokenizer) -> None:
    split(copy)
    again, spec = load_qwen3(copy)
    assert spec == load_qwen3(release)[1]
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in tokenizer.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_weights_are_widened_and_are_other_weights(
    release: Path, copy: Path, tokenizer: Qwen3Tokenizer, dtype: torch.dtype
) -> None:
    rewrite(copy, lambda tensors: tensors.update({name: value.to(dtype) for name, value in tensors.items()}))
    again, spec = load_qwen3(copy)
    assert {value.dtype for value in again.state_dict().values()} == {torch.float32}
    name = "decoder.enter.weight"
    assert torch.equal(again.state_dict()[name], tokenizer.state_dict()[name].to(dtype).float())
    assert spec.weights_sha256 != load_qwen3(release)[1].weights_sha256


SPOILED: dict[str, tuple[Callable[[Tensors], object], str]] = {
    "missing": (lambda t: t.pop(GAMMA), f"lack {GAMMA} that"),
    "many missing": (lambda t: [t.pop(n) for n in list(t) if "pwconv1" in n], "and 1 other tensors that"),
    "surplus": (lambda t: t.update(extra=torch.zeros(1)), "have extra that config.json does not ask for"),
    "misshapen": (lambda t: t.update({GAMMA: torch.zeros(47)}), rf"{GAMMA} makes \[47\], expected \[48\]"),
    "misshapen entry": (
        lambda t: t.update({CODEBOOK: torch.zeros(7, 16)}),
        r"shapes \[2048, 16\], \[2048\], \[7, 16\] do not fit",
    ),
    "scalar": (lambda t: t.update({"decoder.decoder.1.block.0.alpha": torch.tensor(1.0)}), "alpha"),
    "not a number": (lambda t: t[GAMMA].fill_(float("nan")), f"{GAMMA} holds NaN or infinity"),
    "infinite": (lambda t: t[CODEBOOK].view(-1)[5].fill_(float("inf")), "embed_sum holds NaN or infinity"),
    "integers": (lambda t: t.update({GAMMA: torch.ones(48, dtype=torch.int64)}), f"{GAMMA} is int64, expected one of"),
    "double": (lambda t: t.update({GAMMA: torch.ones(48, dtype=torch.float64)}), f"{GAMMA} is float64, expected"),
    "empty": (lambda t: t.clear(), "lack decoder"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_tensor_that_is_not_as_the_configuration_says_is_named(copy: Path, case: str) -> None:
    change, words = SPOILED[case]
    rewrite(copy, change)
    with pytest.raises(CheckpointError, match=words):
        load_qwen3(copy)
    refused(copy)


def test_another_width_in_the_configuration_is_noticed(copy: Path) -> None:
    document = json.loads((copy / "config.json").read_text())
    document["decoder_config"]["latent_dim"] = 64
    (copy / "config.json").write_text(json.dumps(document))
    assert "config.json and weights are of different models" in refused(copy)


def test_more_layers_in_the_configuration_than_in_the_file_is_an_incomplete_download(copy: Path) -> None:
    document = json.loads((copy / "config.json").read_text())
    document["decoder_config"]["num_hidden_layers"] = 100
    (copy / "config.json").write_text(json.dumps(document))
    assert "an incomplete download?" in refused(copy)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.9999])
def test_a_file_that_was_cut_short_says_so(copy: Path, share: float) -> None:
    path = copy / WEIGHTS_NAME
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "download it again" in refused(copy)


class Trap:
    """Pickled, it runs code when it is opened."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("open('sprung', 'w').close()",))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickled_file_in_its_place_is_never_opened(copy: Path, zipped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copy)
    torch.save({"a": Trap()}, copy / WEIGHTS_NAME, _use_new_zipfile_serialization=zipped)
    assert "pickled file, which may carry code and is never opened" in refused(copy)
    (copy / WEIGHTS_NAME).rename(copy / "pytorch_model.bin")
    assert "No model.safetensors" in refused(copy)
    assert not (copy / "sprung").exists()


def test_a_pointer_that_git_left_is_told_from_weights(copy: Path) -> None:
    (copy / WEIGHTS_NAME).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 682293092\n")
    assert "git lfs pull" in refused(copy)


@pytest.mark.parametrize("name", ["../model-1.safetensors", "/etc/passwd", "..", "weights.bin", "", 7, None])
def test_an_index_that_points_elsewhere_is_refused(copy: Path, name: object) -> None:
    (copy / WEIGHTS_NAME).unlink()
    (copy / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    assert "names something else than safetensors files of its own folder" in refused(copy)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": ["b"]}}'])
def test_a_damaged_index_is_said_to_be_damaged(copy: Path, content: str) -> None:
    (copy / WEIGHTS_NAME).unlink()
    (copy / INDEX).write_text(content)
    assert "is damaged: expected a weight_map" in refused(copy)


def test_a_piece_that_is_missing_or_holds_anothers_tensors_is_named(copy: Path) -> None:
    split(copy)
    first, second = sorted(copy.glob("model-*.safetensors"))
    content = second.read_bytes()
    second.write_bytes(first.read_bytes())
    assert "that another piece has too" in refused(copy)
    second.unlink()
    assert f"No {second.name} in" in refused(copy)
    second.write_bytes(content)
    load_qwen3(copy)


def test_the_factory_wants_a_folder_for_what_is_not_packaged() -> None:
    with pytest.raises(CheckpointError, match="does not come with this package: name the folder"):
        load_torch_codec("qwen3-12hz", None)
    with pytest.raises(CheckpointError, match="No torch side of a codec 'mimi'"):
        load_torch_codec("mimi", None)


WITHOUT_ONNX = """
import sys
sys.modules["onnx"] = None
from pathlib import Path
from codec.errors import CheckpointError
from codec.models.factory import load_torch_codec
print(load_torch_codec("qwen3-12hz", sys.argv[1]).spec.name)
try:
    load_torch_codec("nano", None)
except CheckpointError as error:
    print(error)
"""


def test_the_torch_extra_is_enough(release: Path) -> None:
    """It brings no onnx: only nano's weights come out of ONNX files, and say so."""
    words = [sys.executable, "-c", WITHOUT_ONNX, str(release)]
    child = subprocess.run(words, capture_output=True, text=True, check=False)
    assert child.stderr == ""
    assert child.stdout.startswith("qwen3-12hz\nTorch reads nano's released weights with the package onnx")
