"""Learning the codebooks: entries follow the mean of what falls to them; entries that nobody uses start anew."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.models.layers import BandedResidualQuantizer
from codec.models.nano.quantizer import Latent, NanoQuantizer

MEMORY = 40
"""An entry is the mean of about so many vectors that fell to it last, whatever the size of a batch: fewer make it
rough, more let it lag behind an encoder that learns."""
SLOWEST = 0.999
"""Decay of the moving averages a step, at most."""
FIRST_ROUNDS = 12
"""Of k-means."""
DEAD_SHARE = 0.02
"""An entry used less than this share of the average use is dead."""


class CodebookLearner(nn.Module):
    """Quantises in training, and moves the codebooks (SoundStream; van den Oord et al., 2017, appendix A).

    Each sample of a batch gets a random number of layers, so that every prefix of the layers learns to decode.
    """

    def __init__(self, quantizer: BandedResidualQuantizer) -> None:
        super().__init__()
        self.quantizer = quantizer
        layers, size = quantizer.num_layers, quantizer.codebook_size
        self.register_buffer("use", torch.zeros(layers, size))
        self.register_buffer("total", torch.zeros_like(quantizer.codebooks))
        self.register_buffer("voiced", torch.zeros(size))
        self.register_buffer("hertz", torch.zeros(size))
        self.use: Tensor
        self.total: Tensor
        self.voiced: Tensor
        self.hertz: Tensor

    @torch.no_grad()
    def begin(self, vectors: Tensor) -> None:
        """Fill the codebooks from vectors [M, latent_dim], layer by layer: k-means on what is left over."""
        left = vectors.clone()
        for layer in range(self.quantizer.num_layers):
            residual = left[:, self.quantizer.band(layer)]
            book = self._means(residual, layer)
            self.quantizer.codebooks[layer] = book
            left[:, self.quantizer.band(layer)] -= book[self.quantizer.nearest(residual, layer)]
            self.use[layer] = 1.0
            self.total[layer] = book

    def _means(self, vectors: Tensor, layer: int) -> Tensor:
        size = self.quantizer.codebook_size
        book = vectors[torch.randperm(len(vectors))[:size]].clone()
        if len(book) < size:
            extra = book[torch.randint(len(book), (size - len(book),))]
            book = torch.cat([book, extra + 0.01 * vectors.std() * torch.randn_like(extra)])
        for _ in range(FIRST_ROUNDS):
            self.quantizer.codebooks[layer] = book
            index = self.quantizer.nearest(vectors, layer)
            count = torch.bincount(index, minlength=size).to(book.dtype)
            mean = torch.zeros_like(book).index_add_(0, index, vectors) / count.clamp(min=1.0)[:, None]
            book = torch.where((count > 0)[:, None], mean, book)
        return book

    def forward(self, vectors: Tensor, layers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """vectors [B, T, latent_dim], layers [B] int64 -> quantised vectors with the gradient passed straight through,
        the commitment loss (mean square distance of what each layer was given from what it chose), and the codes of
        the first layer [B, T]."""
        dim = self.quantizer.dim
        left = list(torch.split(vectors, dim, dim=-1))
        totals = [torch.zeros_like(part) for part in left]
        commitment = vectors.new_zeros(())
        first: Tensor | None = None
        for layer, band in enumerate(self.quantizer.bands):
            with torch.no_grad():
                index = self.quantizer.nearest(left[band], layer)
            first = index if first is None else first
            entry = self.quantizer.codebooks[layer][index]
            if self.training:
                self._follow(layer, left[band].detach().flatten(0, 1), index.flatten())
            used = (layers > layer).to(vectors.dtype)[:, None, None]
            commitment = commitment + (used * (left[band] - entry).square()).mean()
            totals[band] = totals[band] + used * entry
            left[band] = left[band] - entry
        assert first is not None
        quantised = vectors + (torch.cat(totals, dim=-1) - vectors).detach()
        return quantised, commitment / self.quantizer.num_layers, first

    @torch.no_grad()
    def _follow(self, layer: int, vectors: Tensor, index: Tensor) -> None:
        # Nothing here may depend on a value: a step that asks the GPU for one cannot be captured, and waits.
        use, total = self.use[layer], self.total[layer]
        decay = self._decay(len(vectors))
        use.mul_(decay).index_add_(0, index, torch.ones_like(vectors[:, 0]), alpha=1 - decay)
        total.mul_(decay).index_add_(0, index, vectors, alpha=1 - decay)
        average = use.mean()
        dead = use < DEAD_SHARE * average
        fresh = vectors[torch.randint(len(vectors), (len(use),), device=vectors.device)]
        use.copy_(torch.where(dead, average, use))
        total.copy_(torch.where(dead[:, None], fresh * average, total))
        self.quantizer.codebooks[layer] = total / use.clamp(min=1e-8)[:, None]

    def _decay(self, vectors: int) -> float:
        """Of the moving averages, in a step of that many vectors."""
        return min(SLOWEST, max(0.0, 1.0 - vectors / (MEMORY * self.quantizer.codebook_size)))

    def begin_from_codebooks(self) -> None:
        """Go on from the codebooks as they are."""
        self.use.fill_(1.0)
        self.total.copy_(self.quantizer.codebooks)

    @torch.no_grad()
    def follow_pitch(self, first: Tensor, parts: Latent, quantizer: NanoQuantizer) -> None:
        """Note which pitch is usual where the first layer says `first` [B, T]: a stream of one layer gets it."""
        lowest = quantizer.config.pitch.lowest_hz
        hertz = lowest * torch.exp2(parts.octaves)
        index = first.flatten()
        weight, sums = parts.voicing.sum(dim=-1).flatten(), (parts.voicing * hertz).sum(dim=-1).flatten()
        decay = self._decay(len(index))
        self.voiced.mul_(decay).index_add_(0, index, weight, alpha=1 - decay)
        self.hertz.mul_(decay).index_add_(0, index, sums, alpha=1 - decay)
        known = self.voiced > 1e-3
        usual = self.hertz / self.voiced.clamp(min=1e-3)
        quantizer.usual_codebooks.copy_(torch.where(known, usual, quantizer.usual_codebooks))
