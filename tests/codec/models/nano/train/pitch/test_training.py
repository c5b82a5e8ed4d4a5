from __future__ import annotations

import torch
from torch import Tensor

from codec.models.nano.config import NanoConfig, PitchConfig
from codec.models.nano.pitch import nearest_contour
from codec.models.nano.train.pitch.contours import contours, learn_contours
from codec.models.nano.train.pitch.training import Batch, TrackerTraining, train_tracker

CONFIG = NanoConfig(pitch=PitchConfig(width=32, depth=1, kernel_size=5))


def sawtooth_voices(seed: int, *, rows: int = 8, hops: int = 64) -> Batch:
    """Gliding sawtooths of 60 to 420 Hz at any level; half of them turn into hiss halfway."""
    generator = torch.Generator().manual_seed(seed)

    def uniform() -> Tensor:
        return torch.rand(rows, 1, generator=generator)

    hiss = torch.randn(rows, hops * CONFIG.hop, generator=generator)
    pitch = 60.0 * torch.exp2(2.8 * uniform() + (uniform() - 0.5) * torch.linspace(-0.5, 0.5, hops))
    voiced = torch.ones(rows, hops)
    voiced[:, hops // 2 :] = (uniform() < 0.5).float()
    turns = (pitch.repeat_interleave(CONFIG.hop, dim=1).double() / CONFIG.sample_rate).cumsum(dim=1) + uniform()
    sawtooth = (2.0 * (turns % 1.0) - 1.0).float()
    sound = torch.where(voiced.repeat_interleave(CONFIG.hop, dim=1) > 0, sawtooth, 0.3 * hiss) + 0.02 * hiss
    return 0.3 * 10.0 ** (-1.5 * uniform()) * sound, pitch * voiced


def test_a_small_tracker_learns_in_a_few_steps_to_tell_the_pitch_and_whether_there_is_one() -> None:
    torch.manual_seed(0)
    model = TrackerTraining(CONFIG)
    held_out = sawtooth_voices(999, rows=16)
    before = model.figures(held_out)
    reports: list[tuple[int, dict[str, float]]] = []
    train_tracker(
        model,
        sawtooth_voices,
        held_out,
        steps=70,
        learning_rate=2e-2,
        report=lambda step, figures: reports.append((step, figures)),
    )
    after = model.figures(held_out)
    assert before["median_cents"] > 400
    assert after["median_cents"] < 25
    assert after["gross"] < 0.3
    assert after["voicing"] > 0.9
    (step, reported), *others = reports
    assert (step, others) == (70, [])
    assert {name: reported[name] for name in after} == after
    # What it hears becomes contours: frames with a voice alone, on the scale of the codebook.
    octaves, voicing = contours(model, iter([sawtooth_voices(1000)]))
    assert octaves.shape == voicing.shape
    assert octaves.shape[1] == CONFIG.hops
    assert 32 <= len(octaves) <= 64
    assert (voicing.amax(dim=1) > 0.5).all()
    assert 0.0 <= octaves.min() <= octaves.max() < 3.4


def test_the_tracker_is_asked_for_the_pitch_of_the_lookahead_ago() -> None:
    model = TrackerTraining(CONFIG)
    pitch = torch.tensor([[110.0, 0.0, 220.0, 440.0]])
    octaves, voiced = model.targets(pitch)
    assert CONFIG.lookahead == 2 * CONFIG.hop
    assert octaves.tolist() == [[0.0, 0.0, 1.0, 0.0]]
    assert voiced.tolist() == [[False, False, True, False]]


def test_the_loss_is_least_for_outputs_that_say_the_target() -> None:
    model = TrackerTraining(CONFIG)
    pitch = torch.full((1, 6), 123.4)
    octaves, voiced = model.targets(pitch)
    distance = (model.reading.octaves - octaves[..., None]) * (1200.0 / 20.0)
    voicing = torch.where(voiced, 8.0, -8.0)[..., None]
    told = torch.cat([-0.5 * distance.square(), voicing], dim=-1)
    beside = torch.cat([told[..., 4:-1], told[..., :4], voicing], dim=-1)
    unsure = torch.cat([told[..., :-1], -voicing], dim=-1)
    best = float(model.loss(told, pitch))
    assert best < float(model.loss(beside, pitch)) - 1
    assert best < float(model.loss(unsure, pitch)) - 1
    # Without a voice it does not matter which pitch is told.
    silent = torch.zeros(1, 6)
    assert model.loss(told, silent) == model.loss(beside, silent)


def spoken(number: int) -> tuple[Tensor, Tensor]:
    """Contours around a few heights, and how they are voiced: octaves [M, 8], weights [M, 8]."""
    torch.manual_seed(2)
    heights = torch.tensor([0.8, 1.1, 1.9])[torch.randint(3, (number, 1))] + 0.1 * torch.randn(number, 1)
    slopes = 0.2 * torch.randn(number, 1) * torch.linspace(-0.5, 0.5, 8)
    weights = (torch.rand(number, 8) < 0.8).float()
    weights[:, 3] = 1.0
    return heights + slopes + 0.01 * torch.randn(number, 8), weights


def test_contours_of_the_book_are_near_where_there_is_a_voice() -> None:
    octaves, weights = spoken(3000)
    errors = []
    for size in (16, 64):
        book = learn_contours(octaves, weights, size=size)
        assert book.shape == (size, 8)
        chosen = book[nearest_contour(octaves, weights, book)]
        errors.append(float((chosen - octaves).abs()[weights > 0].median()))
    assert errors[1] < 0.7 * errors[0]
    assert errors[1] < 0.03  # octaves: 36 cents
    assert (book.mean(dim=1).diff() >= 0).all()


def test_points_without_a_weight_do_not_matter() -> None:
    octaves, weights = spoken(500)
    elsewhere = torch.where(weights > 0, octaves, 50.0)
    torch.testing.assert_close(
        learn_contours(elsewhere, weights, size=16), learn_contours(octaves, weights, size=16), atol=1e-4, rtol=0
    )


def test_every_contour_is_somebodys_even_where_much_of_the_speech_is_alike() -> None:
    torch.manual_seed(3)
    alike = torch.ones(800, 8)
    others = (1.5 + torch.rand(1200, 1)).expand(-1, 8)
    octaves = torch.cat([alike, others])
    weights = torch.ones_like(octaves)
    book = learn_contours(octaves, weights, size=32)
    assert (torch.bincount(nearest_contour(octaves, weights, book), minlength=32) > 0).all()


def test_a_point_that_nobody_voiced_lies_at_the_mean_of_its_contour() -> None:
    octaves = torch.full((100, 8), 1.25)
    octaves[:, 6:] = 7.0
    weights = torch.ones(100, 8)
    weights[:, 6:] = 0.0
    torch.testing.assert_close(learn_contours(octaves, weights, size=1), torch.full((1, 8), 1.25))
