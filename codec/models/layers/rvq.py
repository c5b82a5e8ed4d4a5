"""Residual vector quantisation: every layer codes what the layers before it left over."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class ResidualQuantizer(nn.Module):
    """A stack of codebooks in a space of `dim`, with optional projections from and to the model's width.

    latent: [B, width, T] float32; codes: [B, K, T] int64, layer 0 first. A code of -1 adds a zero vector.
    The codebooks are one buffer [num_layers, codebook_size, dim]: looking up all layers is a single gather.
    Source: SoundStream (Zeghidour et al., 2021), section III-C.
    """

    def __init__(self, *, num_layers: int, codebook_size: int, dim: int, width: int | None = None, bias: bool = False):
        super().__init__()
        self.num_layers, self.codebook_size, self.dim = num_layers, codebook_size, dim
        self.register_buffer("codebooks", torch.zeros(num_layers, codebook_size, dim))
        self.codebooks: Tensor
        self._known: tuple[Tensor, int, Tensor] | None = None
        self.input_projection: nn.Module = nn.Identity()
        self.output_projection: nn.Module = nn.Identity()
        if width is not None:
            self.input_projection = nn.Conv1d(width, dim, 1, bias=bias)
            self.output_projection = nn.Conv1d(dim, width, 1, bias=bias)

    def project(self, latent: Tensor) -> Tensor:
        """Latent [B, width, T] to the codebooks' space, [B, T, dim]."""
        return self.input_projection(latent).transpose(1, 2)  # type: ignore[no-any-return]

    def nearest(self, residual: Tensor, layer: int) -> Tensor:
        """Indices [...] int64 of the entries nearest to residual [..., dim]; the smallest index among equals."""
        codebook = self.codebooks[layer]
        # |r - e|^2 = |r|^2 - 2 (r.e - |e|^2 / 2): the largest bracket is the nearest entry.
        closeness = residual @ codebook.t() - self._half_squares(layer)
        return closeness.argmax(dim=-1)

    def entry(self, layer: int, index: int) -> Tensor:
        """What code `index` of a layer adds to the quantised latent, [dim]."""
        return self.codebooks[layer][index]

    def _half_squares(self, layer: int) -> Tensor:
        """|e|^2 / 2 of each entry e of a layer, [codebook_size].

        A stream on a CPU asks at every step, for a fifteenth of the encoder's time: there the answer is kept for as
        long as the codebooks are the same tensor, unwritten.
        """
        tables = self.codebooks
        if self.training or tables.device.type != "cpu" or tables.is_inference() or torch.compiler.is_compiling():
            return 0.5 * tables[layer].square().sum(dim=-1)
        known = self._known
        if known is None or known[0] is not tables or known[1] != tables._version:
            known = self._known = (tables, tables._version, 0.5 * tables.square().sum(dim=-1))
        return known[2][layer]

    def encode(self, latent: Tensor, *, num_layers: int | None = None) -> Tensor:
        """Codes [B, num_layers, T] of the first `num_layers` (default: all)."""
        residual = self.project(latent)
        codes = []
        for layer in range(self.num_layers if num_layers is None else num_layers):
            index = self.nearest(residual, layer)
            residual = residual - self.codebooks[layer][index]
            codes.append(index)
        return torch.stack(codes, dim=1)

    def sum_entries(self, codes: Tensor) -> Tensor:
        """Sum of the entries that codes [B, K, T] name (K <= num_layers), [B, T, dim]; -1 adds nothing."""
        layers = codes.shape[1]
        offset = torch.arange(layers, device=codes.device)[:, None] * self.codebook_size
        # Indices are clipped before the gather and masked after it: -1 would name the last entry of a table.
        present = codes >= 0
        entries = self.codebooks.flatten(0, 1)[codes.clamp(min=0) + offset]
        return torch.where(present[..., None], entries, 0.0).sum(dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Latent [B, width, T] of codes [B, K, T]; any prefix of the layers decodes."""
        return self.output_projection(self.sum_entries(codes).transpose(1, 2))  # type: ignore[no-any-return]


class BandedResidualQuantizer(ResidualQuantizer):
    """A stack of codebooks each of which codes one band of a wider latent: latent: [B, T, latent_dim].

    `bands[k]` is the band of layer k: numbers from bands[k] * dim to (bands[k] + 1) * dim. A layer of 11 bits can say
    something of 16 numbers, nothing of 100; narrow codebooks are small and quick to search, and the latent may still
    have as many numbers as all layers together can tell. DAC (Kumar et al., 2023) narrows by learned projections
    instead; a latent that is learned needs none.
    """

    def __init__(self, *, bands: Sequence[int], codebook_size: int, dim: int) -> None:
        super().__init__(num_layers=len(bands), codebook_size=codebook_size, dim=dim)
        self.bands = tuple(bands)
        self.latent_dim = dim * (max(bands) + 1)
        belongs = torch.arange(max(bands) + 1)[:, None] == torch.tensor(self.bands)
        self.register_buffer("belongs", belongs.float(), persistent=False)
        self.belongs: Tensor

    def project(self, latent: Tensor) -> Tensor:
        """The latent itself, [B, T, latent_dim]."""
        return latent

    def band(self, layer: int) -> slice:
        """Which numbers of the latent a layer codes."""
        return slice(self.bands[layer] * self.dim, (self.bands[layer] + 1) * self.dim)

    def entry(self, layer: int, index: int) -> Tensor:
        """What code `index` of a layer adds to the quantised latent, [latent_dim]."""
        band = self.band(layer)
        return functional.pad(self.codebooks[layer][index], (band.start, self.latent_dim - band.stop))

    def encode(self, latent: Tensor, *, num_layers: int | None = None) -> Tensor:
        """Codes [B, num_layers, T] of latent [B, T, latent_dim]."""
        left = list(torch.split(latent, self.dim, dim=-1))
        codes = []
        for layer in range(self.num_layers if num_layers is None else num_layers):
            band = self.bands[layer]
            index = self.nearest(left[band], layer)
            left[band] = left[band] - functional.embedding(index, self.codebooks[layer])
            codes.append(index)
        return torch.stack(codes, dim=1)

    def sum_entries(self, codes: Tensor) -> Tensor:
        """Sum of the entries that codes [B, K, T] name, each in its band, [B, T, latent_dim]; -1 adds nothing."""
        layers = codes.shape[1]
        offset = torch.arange(layers, device=codes.device)[:, None] * self.codebook_size
        present = codes >= 0
        entries = self.codebooks.flatten(0, 1)[codes.clamp(min=0) + offset]
        entries = torch.where(present[..., None], entries, 0.0)
        # One product sums them band by band, [B, bands, T * dim]: few nodes in an exported graph.
        sums = self.belongs[:, :layers] @ entries.flatten(2)
        rows, bands = sums.shape[:2]
        return sums.reshape(rows, bands, -1, self.dim).transpose(1, 2).flatten(2)

    def decode(self, codes: Tensor) -> Tensor:
        """Latent [B, T, latent_dim] of codes [B, K, T]; any prefix of the layers decodes."""
        return self.sum_entries(codes)


class SplitResidualQuantizer(nn.Module):
    """Several stacks that quantise the same latent, each through projections of its own; their outputs add up.

    Codes are the stacks' codes one below another. Mimi and Qwen3-TTS-Tokenizer: a stack of one "semantic" layer, then
    the acoustic ones.
    """

    def __init__(self, stacks: Sequence[ResidualQuantizer]) -> None:
        super().__init__()
        self.stacks = nn.ModuleList(stacks)
        self.num_layers = sum(stack.num_layers for stack in stacks)

    def _each(self) -> list[ResidualQuantizer]:
        return [stack for stack in self.stacks if isinstance(stack, ResidualQuantizer)]

    def project(self, latent: Tensor) -> Tensor:
        """Latent [B, width, T] to the codebooks' spaces, one beside another, [B, T, dims of all stacks]."""
        return torch.cat([stack.project(latent) for stack in self._each()], dim=-1)

    def encode(self, latent: Tensor) -> Tensor:
        """Codes [B, K, T] of latent [B, width, T], K over all stacks."""
        return torch.cat([stack.encode(latent) for stack in self._each()], dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Latent [B, width, T]; codes [B, K, T] may be a prefix that ends inside any stack."""
        latent: Tensor | None = None
        first = 0
        for stack in self._each():
            part = codes[:, first : first + stack.num_layers]
            first += stack.num_layers
            if part.shape[1]:
                decoded = stack.decode(part)
                latent = decoded if latent is None else latent + decoded
        if latent is None:
            raise ValueError("codes need at least one layer")
        return latent
