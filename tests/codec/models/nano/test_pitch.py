from __future__ import annotations

import pytest
import torch
from torch import Tensor

from codec.models.nano.config import PitchConfig
from codec.models.nano.excitation import Harmonics
from codec.models.nano.frontend import Magnitudes
from codec.models.nano.pitch import PitchFeatures, PitchReading, nearest_contour

CONFIG = PitchConfig()
RATE, WINDOW, HOP = 16_000, 640, 160


def read(scores: Tensor) -> Tensor:
    """Cents above the lowest pitch of class scores [N, classes]: [N]."""
    outputs = torch.cat([scores, torch.zeros(len(scores), 1)], dim=1)
    octaves, _ = PitchReading(CONFIG)(outputs)
    return 1200.0 * octaves  # type: ignore[no-any-return]


def peak(cents: Tensor, *, width: float = 20.0, height: float = 0.0) -> Tensor:
    """Scores [N, classes] of a peak at each of cents [N], as training makes them."""
    at = torch.arange(CONFIG.classes) * CONFIG.cents
    return height - 0.5 * ((at - cents[:, None]) / width).square()


def test_a_clear_peak_is_read_within_three_cents_wherever_it_stands_between_two_classes() -> None:
    cents = torch.arange(25.0, 3940.0, 1.7)
    heard = read(peak(cents))
    assert (heard - cents).abs().max() < 3.0
    assert (heard.diff() > 0).all()


def test_a_reading_leans_to_neither_side() -> None:
    off = torch.arange(-12.0, 12.1, 0.5)
    wrong = read(peak(2000.0 + off)) - (2000.0 + off)
    torch.testing.assert_close(wrong, -wrong.flip(0), atol=2e-2, rtol=0)


def test_a_peak_below_another_does_not_move_it() -> None:
    high = peak(torch.tensor([1800.0]))
    octave_below = torch.logaddexp(high, peak(torch.tensor([600.0]), height=-2.0))
    assert abs(float(read(octave_below) - read(high))) < 1.0


def test_a_tiny_change_of_the_scores_moves_the_pitch_a_tiny_way() -> None:
    """Two engines differ in the last bit: even where two classes are equally likely nothing may jump."""
    torch.manual_seed(1)
    scores = 3.0 * torch.randn(500, CONFIG.classes)
    draw = peak(torch.full((20,), 1000.0)).maximum(peak(torch.linspace(1050.0, 2200.0, 20)))
    for start in (scores, draw):
        moved = (read(start + 1e-6 * torch.randn_like(start)) - read(start)).abs().max()
        assert moved < 0.1


def test_the_voicing_is_a_share() -> None:
    outputs = torch.zeros(1, 3, CONFIG.classes + 1)
    outputs[0, :, -1] = torch.tensor([-9.0, 0.0, 9.0])
    _, voicing = PitchReading(CONFIG)(outputs)
    assert voicing[0, 1] == 0.5
    assert voicing[0, 0] < 0.01 < 0.99 < voicing[0, 2]


def features_of(pcm: Tensor) -> Tensor:
    """What the tracker sees of steady pcm [1, T], [2 * lags + low_bins]."""
    magnitudes = Magnitudes(window=WINDOW, hop=HOP).offline(pcm)
    return PitchFeatures(CONFIG, window=WINDOW, sample_rate=RATE)(magnitudes)[0, -1]  # type: ignore[no-any-return]


@pytest.mark.parametrize("hertz", [70.0, 142.0, 230.0, 460.0])
def test_a_pitch_shows_at_its_lag(hertz: float) -> None:
    time = torch.arange(10 * HOP) / RATE
    order = torch.arange(1, 2500 // int(hertz))[:, None]  # softer upwards, as voices are
    voice = 0.1 * (torch.sin(2 * torch.pi * hertz * order * time) / order).sum(dim=0, keepdim=True)
    lags = torch.logspace(
        torch.tensor(CONFIG.highest_hz).log2().item(),
        torch.tensor(CONFIG.lowest_hz).log2().item(),
        CONFIG.lags,
        base=2.0,
    )
    by_power = features_of(voice)[: CONFIG.lags]
    above = by_power.where(lags > 0.7 * hertz, torch.tensor(-1.0))  # its octaves below are as periodic
    assert lags[above.argmax()] == pytest.approx(hertz, rel=0.02)
    assert above.max() > 0.4
    # In noise nothing repeats.
    torch.manual_seed(3)
    assert features_of(0.1 * torch.randn(1, 10 * HOP))[: CONFIG.lags].abs().max() < 0.35


@pytest.mark.parametrize("decibels", [-30.0, -10.0, 20.0])
def test_features_do_not_know_the_level(decibels: float) -> None:
    torch.manual_seed(2)
    voice = Harmonics(hop=HOP, sample_rate=RATE).offline(torch.full((1, 10), 142.0)) + 0.5 * torch.randn(1, 10 * HOP)
    torch.testing.assert_close(
        features_of(0.1 * 10 ** (decibels / 20) * voice), features_of(0.1 * voice), atol=1e-2, rtol=0
    )


def test_silence_has_features_too() -> None:
    assert torch.isfinite(features_of(torch.zeros(1, 10 * HOP))).all()


def test_the_nearest_contour_is_nearest_where_there_is_a_voice() -> None:
    torch.manual_seed(4)
    octaves, weights, book = torch.rand(50, 8), torch.rand(50, 8), torch.rand(30, 8)
    distances = (weights[:, None] * (octaves[:, None] - book).square()).sum(dim=-1)
    index = nearest_contour(octaves.double(), weights.double(), book.double())
    assert torch.equal(index, distances.argmin(dim=1))
    weights[:, 3:] = 0.0
    elsewhere = octaves.clone()
    elsewhere[:, 3:] = 99.0
    assert torch.equal(nearest_contour(octaves, weights, book), nearest_contour(elsewhere, weights, book))
