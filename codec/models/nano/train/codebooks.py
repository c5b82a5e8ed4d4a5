"""Learning the codebooks: entries follow the mean of what falls to them; entries that nobody uses start anew."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.models.layers import ResidualQuantizer

DECAY = 0.99
"""Of the moving averages behind the entries."""
DEAD_SHARE = 0.02
"""An entry used less than this share of the average use is dead."""


class CodebookLearner(nn.Module):
    """Quantises in training, and moves the codebooks (SoundStream; van den Oord et al., 2017, appendix A).

    Each sample of a batch gets a random number of layers, so that every prefix of the layers learns to decode.
    """

    def __init__(self, quantizer: ResidualQuantizer) -> None:
        super().__init__()
        self.quantizer = quantizer
        layers, size = quantizer.num_layers, quantizer.codebook_size
        self.register_buffer("use", torch.zeros(layers, size))
        self.register_buffer("total", torch.zeros_like(quantizer.codebooks))
        self.use: Tensor
        self.total: Tensor

    @torch.no_grad()
    def begin(self, vectors: Tensor) -> None:
        """Fill the codebooks from vectors [M, dim], layer by layer: a few rounds of k-means on what is left over."""
        residual = vectors.clone()
        size = self.quantizer.codebook_size
        for layer in range(self.quantizer.num_layers):
            book = residual[torch.randperm(len(residual))[:size]].clone()
            if len(book) < size:
                extra = book[torch.randint(len(book), (size - len(book),))]
                book = torch.cat([book, extra + 0.01 * residual.std() * torch.randn_like(extra)])
            for _ in range(6):
                self.quantizer.codebooks[layer] = book
                index = self.quantizer.nearest(residual, layer)
                count = torch.bincount(index, minlength=size).to(book.dtype)
                mean = torch.zeros_like(book).index_add_(0, index, residual) / count.clamp(min=1.0)[:, None]
                book = torch.where((count > 0)[:, None], mean, book)
            self.quantizer.codebooks[layer] = book
            residual = residual - book[self.quantizer.nearest(residual, layer)]
            self.use[layer] = 1.0
            self.total[layer] = book

    def forward(self, vectors: Tensor, layers: Tensor) -> tuple[Tensor, Tensor]:
        """vectors [B, T, dim], layers [B] int64 -> quantised vectors with the gradient passed straight through, and the
        commitment loss (mean square distance of what each layer was given from what it chose)."""
        residual = vectors
        total = torch.zeros_like(vectors)
        commitment = vectors.new_zeros(())
        for layer in range(self.quantizer.num_layers):
            with torch.no_grad():
                index = self.quantizer.nearest(residual, layer)
            entry = self.quantizer.codebooks[layer][index]
            if self.training:
                self._follow(layer, residual.detach().flatten(0, 1), index.flatten())
            used = (layers > layer).to(vectors.dtype)[:, None, None]
            commitment = commitment + (used * (residual - entry).square()).mean()
            total = total + used * entry
            residual = residual - entry
        quantised = vectors + (total - vectors).detach()
        return quantised, commitment / self.quantizer.num_layers

    @torch.no_grad()
    def _follow(self, layer: int, vectors: Tensor, index: Tensor) -> None:
        use, total = self.use[layer], self.total[layer]
        count = torch.bincount(index, minlength=len(use)).to(use.dtype)
        use.mul_(DECAY).add_(count, alpha=1 - DECAY)
        total.mul_(DECAY).index_add_(0, index, vectors, alpha=1 - DECAY)
        average = use.mean()
        dead = use < DEAD_SHARE * average
        number = int(dead.sum())
        if number:
            fresh = vectors[torch.randint(len(vectors), (number,), device=vectors.device)]
            use[dead] = average
            total[dead] = fresh * average
        self.quantizer.codebooks[layer] = total / use.clamp(min=1e-8)[:, None]
