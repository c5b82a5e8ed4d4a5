"""The weights that proofs are made with: heard, every one, and neither silent nor clipped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from codec.errors import CheckpointError
from codec.models.qwen3 import Qwen3Config, Qwen3Tokenizer, liveliness
from codec.models.qwen3.liveliness import ENOUGH, movements, silent
from codec.models.qwen3.lively import lively_weights, released_document, released_shapes, small_document
from codec.models.qwen3.names import origins, unused
from codec.models.qwen3.weights import build, read_tensors


def test_samples_have_the_level_of_speech_and_hardly_any_is_clipped(tokenizer: Qwen3Tokenizer) -> None:
    codes = torch.randint(2048, (2, 16, 60), generator=torch.Generator().manual_seed(5))
    pcm = tokenizer.decode(codes)
    assert 0.05 < float(pcm.square().mean().sqrt()) < 0.3
    assert float((pcm.abs() >= 1.0).float().mean()) < 0.01


def test_every_tensor_is_heard_but_those_that_take_no_part(release: Path) -> None:
    """Perturbed alone, each value moved by half of its tensor's RMS: see `liveliness`."""
    config, released = Qwen3Config.read(release), read_tensors(release)
    found = dict(movements(config, released, frames=3))
    assert found.keys() | unused(config) == released.keys()
    expected = silent(config)
    assert len(expected) == 4
    assert {name for name, moved in found.items() if moved <= ENOUGH} == expected


def test_the_tensors_that_take_no_part_are_loaded_all_the_same(release: Path, tokenizer: Qwen3Tokenizer) -> None:
    released, ours = read_tensors(release), tokenizer.state_dict()
    expected = silent(tokenizer.config)
    for name, origin in origins(tokenizer.config).items():
        if expected & set(origin.names):
            assert torch.equal(ours[name], released[origin.names[0]])
            expected -= set(origin.names)
    assert not expected


def test_the_released_configuration_asks_for_the_released_tensors() -> None:
    """Counts and shapes as the published files have them: 682 MB, of it 457 MB the decoder's."""
    shapes = released_shapes(Qwen3Config.from_dict(released_document()))
    sizes = {"encoder": 0, "decoder": 0}
    for name, shape in shapes.items():
        sizes[name.partition(".")[0]] += 4 * torch.Size(shape).numel()
    assert sizes["decoder"] == pytest.approx(4 * 114.32e6, rel=1e-3)
    assert sum(sizes.values()) == pytest.approx(682.2e6, rel=1e-3)
    assert shapes["decoder.quantizer.rvq_rest.vq.layers.14._codebook.embedding_sum"] == (2048, 256)


def test_the_same_seed_makes_the_same_weights() -> None:
    config = Qwen3Config.from_dict(small_document())
    once, again, other = (lively_weights(config, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert not torch.equal(once["decoder.pre_conv.conv.weight"], other["decoder.pre_conv.conv.weight"])


def test_the_command_says_what_is_not_heard(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = {"a": 1.0, "b": 0.5}
    monkeypatch.setattr(liveliness, "movements", lambda *_: heard.items())
    assert liveliness.main(release) == 0
    heard["c"] = 1e-5
    assert liveliness.main(release) == 1
    assert "3 tensors perturbed, 1 not heard" in capsys.readouterr().out
    assert liveliness.main(tmp_path) == CheckpointError.exit_code


def test_freshly_made_weights_would_prove_nothing(release: Path) -> None:
    """The reason for all of this: with scales of 0.01 and a gamma of 1e-6 the network is not heard."""
    config, released = Qwen3Config.read(release), read_tensors(release)
    dull = {name: 1e-6 * tensor if name.endswith("gamma") else tensor for name, tensor in released.items()}
    codes = torch.randint(2048, (1, 16, 6), generator=torch.Generator().manual_seed(5))
    name = "decoder.upsample.0.1.pwconv1.weight"
    before, after = (build(config, dull | {name: dull[name] * gain}).decode(codes) for gain in (1.0, 1.5))
    assert float((before - after).abs().max()) < ENOUGH
