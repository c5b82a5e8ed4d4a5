from __future__ import annotations

from pathlib import Path

import pytest
import torch

from codec.errors import CheckpointError
from codec.models.checkpoint import load_checkpoint, rounded_to_half, save_checkpoint, weights_sha256

WEIGHTS = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.tensor([1, 2])}


def test_what_is_saved_is_loaded_with_its_metadata(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, WEIGHTS, {"step": 3})
    tensors, metadata = load_checkpoint(tmp_path)
    assert metadata == {"step": 3}
    assert all(torch.equal(tensors[name], WEIGHTS[name]) for name in WEIGHTS)


def test_pieces_stay_under_16_megabytes_and_old_ones_go(tmp_path: Path) -> None:
    large = {f"w{i}": torch.zeros(1_000_000) for i in range(9)}
    save_checkpoint(tmp_path, large, {"step": 1})
    save_checkpoint(tmp_path, large, {"step": 2})
    pieces = sorted(tmp_path.glob("*.safetensors"))
    assert len(pieces) == 3
    assert all(piece.stat().st_size < 16_000_000 for piece in pieces)
    assert len(load_checkpoint(tmp_path)[0]) == 9


def test_a_missing_checkpoint_or_piece_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"expected checkpoint\.json there"):
        load_checkpoint(tmp_path)
    save_checkpoint(tmp_path, WEIGHTS, {"step": 0})
    next(tmp_path.glob("*.safetensors")).unlink()
    with pytest.raises(CheckpointError, match="lacks its piece"):
        load_checkpoint(tmp_path)


def test_the_hash_is_of_names_types_shapes_and_values_in_any_order() -> None:
    digest = weights_sha256(WEIGHTS)
    assert digest == weights_sha256(dict(reversed(WEIGHTS.items())))
    assert digest != weights_sha256({**WEIGHTS, "a": torch.tensor([1, 3])})
    assert digest != weights_sha256({**WEIGHTS, "b": WEIGHTS["b"].reshape(3, 2)})
    assert digest != weights_sha256({**WEIGHTS, "b": WEIGHTS["b"].double()})
    assert digest != weights_sha256({"c": WEIGHTS["b"], "a": WEIGHTS["a"]})


def test_rounding_leaves_numbers_that_float16_holds() -> None:
    rounded = rounded_to_half({"w": torch.tensor([0.1, 1 / 3, 65504.0]), "n": torch.tensor([70_000])})
    assert torch.equal(rounded["w"], rounded["w"].half().float())
    assert rounded["w"].dtype == torch.float32
    assert rounded["n"].item() == 70_000
