from __future__ import annotations

import torch
from torch import Tensor

from codec.models.nano.train.critics import Critics, SpectralCritic

SIZES = (512, 256)


def critics() -> Critics:
    torch.manual_seed(3)
    return Critics(sizes=SIZES, channels=8)


def noise(level: float = 0.1) -> Tensor:
    return level * torch.randn(2, 4000, generator=torch.Generator().manual_seed(5))


def test_a_critic_judges_frames_and_bands() -> None:
    judgement, features = SpectralCritic(512, channels=8)(noise())
    frames = 1 + (4000 - 512) // 256
    assert judgement.shape == (2, 1, frames, 17)
    assert [tuple(x.shape) for x in features[:2]] == [(2, 8, frames, 129), (2, 8, frames, 65)]


def test_critics_learn_to_tell_two_sounds_apart() -> None:
    made = critics()
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-3)
    source, decoded = noise(), 0.1 * torch.sin(torch.arange(4000) * 0.3).expand(2, -1)
    losses = []
    for _ in range(25):
        loss = made.loss(decoded, source)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    opinion = made.opinion(decoded, source)
    assert opinion.adversarial > made.opinion(source, source).adversarial


def test_the_opinion_of_a_perfect_copy_finds_no_difference_and_that_of_another_has_a_gradient() -> None:
    made, source = critics(), noise()
    assert made.opinion(source, source).features == 0.0
    decoded = (source + noise(0.01).flip(1)).requires_grad_()
    opinion = made.opinion(decoded, source)
    for loss in (opinion.features, opinion.adversarial):
        (gradient,) = torch.autograd.grad(loss, decoded, retain_graph=True)
        assert gradient.isfinite().all()
        assert gradient.any()


def test_critics_do_not_hear_how_loud_it_is() -> None:
    made, source, decoded = critics(), noise(), noise(0.08).roll(7, dims=1)
    usual, softer = made.opinion(decoded, source), made.opinion(0.1 * decoded, 0.1 * source)
    torch.testing.assert_close(usual.adversarial, softer.adversarial, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(usual.features, softer.features, atol=1e-4, rtol=1e-3)


def test_silence_on_either_side_is_bearable() -> None:
    made, silence = critics(), torch.zeros(2, 4000, requires_grad=True)
    for loss in (made.loss(silence, noise()), made.loss(silence, silence.detach())):
        assert loss.isfinite()
    opinion = made.opinion(silence, torch.zeros(2, 4000))
    (gradient,) = torch.autograd.grad(opinion.features + opinion.adversarial, silence)
    assert gradient.isfinite().all()
