from __future__ import annotations

import pytest
import torch

from codec.models.layers import BandedResidualQuantizer
from codec.models.nano.config import NanoConfig
from codec.models.nano.quantizer import USUAL_HZ, Latent, NanoQuantizer
from codec.models.nano.train.codebooks import CodebookLearner


def learner() -> CodebookLearner:
    """Two layers of the first band of four numbers, one of the second."""
    torch.manual_seed(2)
    return CodebookLearner(BandedResidualQuantizer(bands=(0, 1, 0), codebook_size=16, dim=4))


def test_the_first_codebooks_come_from_the_data_and_each_layer_helps() -> None:
    made = learner().eval()
    vectors = torch.randn(400, 8)
    made.begin(vectors)
    errors = []
    for layers in (1, 2, 3):
        quantised, _, _ = made(vectors[None], torch.tensor([layers]))
        errors.append((quantised[0] - vectors).square().mean(dim=0))
    assert errors[0][:4].mean() < 0.5
    torch.testing.assert_close(errors[0][4:], vectors[:, 4:].square().mean(dim=0))  # of its band nothing was said yet
    torch.testing.assert_close(errors[1][:4], errors[0][:4])
    assert errors[1][4:].mean() < 0.5
    assert errors[2][:4].mean() < 0.6 * errors[1][:4].mean()
    torch.testing.assert_close(errors[2][4:], errors[1][4:])


def test_quantising_in_training_is_what_the_codec_does() -> None:
    made = learner().eval()
    vectors = torch.randn(3, 50, 8)
    made.begin(vectors.flatten(0, 1))
    for layers in (1, 2, 3):
        quantised, _, first = made(vectors, torch.full((3,), layers))
        codes = made.quantizer.encode(vectors, num_layers=layers)
        assert torch.equal(first, codes[:, 0])
        torch.testing.assert_close(quantised, made.quantizer.decode(codes))


def test_rows_may_have_different_numbers_of_layers() -> None:
    made = learner().eval()
    vectors = torch.randn(2, 50, 8)
    made.begin(vectors.flatten(0, 1))
    both, _, _ = made(vectors, torch.tensor([1, 3]))
    for row, layers in enumerate((1, 3)):
        alone, _, _ = made(vectors[row : row + 1], torch.tensor([layers]))
        torch.testing.assert_close(both[row], alone[0])


def test_entries_follow_their_vectors_and_dead_ones_start_anew() -> None:
    made = learner()
    made.begin(torch.randn(400, 8))
    moved = torch.randn(8, 50, 8) * 0.1 + 5.0
    before = float(made.eval()(moved, torch.full((8,), 3))[1])
    made.train()
    for _ in range(200):
        made(moved, torch.full((8,), 3))
    assert float(made.eval()(moved, torch.full((8,), 3))[1]) < 0.05 * before
    used = torch.unique(made.quantizer.nearest(moved[..., :4], 0))
    assert len(used) > 8


def test_the_gradient_passes_straight_through_the_quantiser() -> None:
    made = learner().eval()
    made.begin(torch.randn(100, 8))
    vectors = torch.randn(1, 5, 8, requires_grad=True)
    quantised, _, _ = made(vectors, torch.tensor([3]))
    quantised.sum().backward()
    assert vectors.grad is not None
    torch.testing.assert_close(vectors.grad, torch.ones_like(vectors))


def test_the_commitment_pulls_a_vector_towards_its_entries_and_only_those_that_are_used() -> None:
    made = learner().eval()
    made.begin(torch.randn(100, 8))
    vectors = torch.randn(1, 5, 8, requires_grad=True)
    quantised, commitment, _ = made(vectors, torch.tensor([1]))
    commitment.backward()
    assert vectors.grad is not None
    away = vectors.detach() - quantised.detach()
    assert (vectors.grad[..., :4] * away[..., :4]).sum() > 0
    assert not vectors.grad[..., 4:].any()


def test_the_usual_pitch_of_an_entry_is_the_mean_of_the_voiced_hops_that_sounded_so() -> None:
    config = NanoConfig(num_layers=4, codebook_size=16, codebook_dim=4, bands=(0, 1, 0), learned_dim=4)
    quantizer = NanoQuantizer(config)
    made = CodebookLearner(quantizer.sound)
    octaves, voicing = torch.zeros(1, 3, 8), torch.zeros(1, 3, 8)
    octaves[0, 0], voicing[0, 0] = 1.0, 1.0  # 110 Hz
    octaves[0, 1, :4], voicing[0, 1, :4] = 2.0, 1.0  # 220 Hz for half as long
    octaves[0, 2] = 3.0  # not voiced
    for _ in range(5):
        made.follow_pitch(torch.tensor([[7, 7, 9]]), Latent(torch.zeros(1, 3, 8), octaves, voicing), quantizer)
    assert float(quantizer.usual_codebooks[7]) == pytest.approx((8 * 110 + 4 * 220) / 12, rel=1e-5)
    assert quantizer.usual_codebooks[[0, 9]].tolist() == [USUAL_HZ] * 2
