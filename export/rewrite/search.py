"""The search for the nearest entries, with everything that depends on the codebooks alone computed beforehand."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.models.layers import ResidualQuantizer


class StackSearch(nn.Module):
    """`ResidualQuantizer.project` and `.encode` in one: x [B, N, width] -> codes [B, K, N] and latents [B, N, dim].

    Codebooks are kept once, with an entry in each column, which is what the product with them needs: left to ONNX
    Runtime, transposing them at load takes twice their memory for as long as the model is open.
    """

    def __init__(self, stack: ResidualQuantizer) -> None:
        super().__init__()
        self.projection = stack.input_projection
        books = stack.codebooks.detach()
        self.codebooks = nn.ParameterList(_fixed(book.t()) for book in books)
        self.half_powers = nn.ParameterList(_fixed(0.5 * book.square().sum(dim=-1)) for book in books)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        latent: Tensor = self.projection(x.transpose(1, 2)).transpose(1, 2)
        residual = latent
        codes = []
        for book, half_power in zip(self.codebooks, self.half_powers, strict=True):
            index = (residual @ book - half_power).argmax(dim=-1)
            entries = book.index_select(1, index.flatten()).t()
            residual = residual - entries.reshape(residual.shape)
            codes.append(index)
        return torch.stack(codes, dim=1), latent


def _fixed(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values.contiguous().clone(), requires_grad=False)
