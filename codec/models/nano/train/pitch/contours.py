"""The codebook of pitch contours."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from codec.models.nano.pitch import nearest_contour
from codec.models.nano.train.pitch.training import Batch, TrackerTraining


@torch.no_grad()
def contours(model: TrackerTraining, batches: Iterator[Batch]) -> tuple[Tensor, Tensor]:
    """Octaves [M, hops] and voicing [M, hops] of the token frames of all batches that have any voice."""
    octaves, voicings = [], []
    hops = model.config.hops
    for pcm, _ in batches:
        octave, voicing = model.reading(model(pcm))
        octave, voicing = octave.reshape(-1, hops), voicing.reshape(-1, hops)
        voiced = voicing.amax(dim=1) > 0.5
        octaves.append(octave[voiced])
        voicings.append(voicing[voiced])
    return torch.cat(octaves), torch.cat(voicings)


@torch.no_grad()
def learn_contours(octaves: Tensor, weights: Tensor, *, size: int, rounds: int = 25) -> Tensor:
    """A codebook [size, hops] of contours [M, hops], each point of which counts as its weight [M, hops] says.

    k-means with a distance of its own per vector; a point that no vector of a cell weighs keeps the cell's mean.
    """
    generator = torch.Generator().manual_seed(1)
    mean = (octaves * weights).sum(dim=1, keepdim=True) / weights.sum(dim=1, keepdim=True)
    begin = torch.where(weights > 0.5, octaves, mean)
    order = torch.argsort(mean[:, 0])
    # Evenly over the range of pitches, as the ear hears them, rather than where most of the speech is.
    spread = order[torch.linspace(0, len(order) - 1, size).long()]
    book = begin[spread].clone()
    for _ in range(rounds):
        index = nearest_contour(octaves, weights, book)
        total = torch.zeros_like(book).index_add_(0, index, octaves * weights)
        use = torch.zeros_like(book).index_add_(0, index, weights)
        cell = total.sum(dim=1, keepdim=True) / use.sum(dim=1, keepdim=True).clamp(min=1e-6)
        # Half an observation of the cell's own mean: where nothing was heard the contour stays level.
        book = torch.where(use.sum(dim=1, keepdim=True) > 0, (total + 0.5 * cell) / (use + 0.5), book)
        empty = torch.bincount(index, minlength=size) == 0
        fresh = torch.randint(len(begin), (int(empty.sum()),), generator=generator)
        book[empty] = begin[fresh]
    return book[torch.argsort(book.mean(dim=1))]
