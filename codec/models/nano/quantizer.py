"""nano's latent to codes and back: a layer for the pitch, the others for how it sounds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from codec.models.layers import BandedResidualQuantizer
from codec.models.nano.config import PITCH_LAYER, NanoConfig
from codec.models.nano.pitch import nearest_contour

USUAL_HZ = 140.0
"""Before anything is learned."""


@dataclass(frozen=True, slots=True)
class Latent:
    """What a frame is made of; the last axis is split out of [B, T, latent_dim + 2 * hops]."""

    sound: Tensor
    """[B, T, latent_dim]."""
    octaves: Tensor
    """Pitch in octaves above the lowest, hop by hop, [B, T, hops]."""
    voicing: Tensor
    """How much each of them counts, 0 … 1, [B, T, hops]."""


class NanoQuantizer(nn.Module):
    """latent [B, latent_dim + 2 * hops, T] <-> codes [B, K, T], layer 0 first; -1 in a suffix adds nothing.

    Decoded: [B, latent_dim + hops, T], the sound and the pitch in Hz hop by hop. The pitch is looked up whole in a
    table and passes through no arithmetic: two machines get the same bits, and their phases never drift apart. A stream
    cut to one layer has no pitch of its own: it gets the mean one of speech that sounds so, on a level line.
    """

    def __init__(self, config: NanoConfig) -> None:
        super().__init__()
        self.config = config
        self.num_layers, self.codebook_size = config.num_layers, config.codebook_size
        self.sound = BandedResidualQuantizer(
            bands=config.bands, codebook_size=config.codebook_size, dim=config.codebook_dim
        )
        # In Hz, as they are needed: see the class.
        self.register_buffer("contour_codebooks", torch.full((config.codebook_size, config.hops), USUAL_HZ))
        self.register_buffer("usual_codebooks", torch.full((config.codebook_size,), USUAL_HZ))
        self.contour_codebooks: Tensor
        self.usual_codebooks: Tensor

    def split(self, latent: Tensor) -> Latent:
        """The parts of a latent [B, T, latent_dim + 2 * hops]."""
        sizes = [self.config.latent_dim, self.config.hops, self.config.hops]
        return Latent(*torch.split(latent, sizes, dim=-1))

    def project(self, latent: Tensor) -> Tensor:
        """What is quantised, [B, T, latent_dim + 2 * hops]."""
        return latent.transpose(1, 2)

    def encode(self, latent: Tensor, *, num_layers: int | None = None) -> Tensor:
        """Codes [B, num_layers, T] of the first `num_layers` (default: all)."""
        parts = self.split(self.project(latent))
        wanted = self.num_layers if num_layers is None else num_layers
        sound = self.sound.encode(parts.sound, num_layers=max(1, wanted - 1))
        pitch = self.nearest_contour(parts)
        return torch.cat([sound[:, :PITCH_LAYER], pitch[:, None], sound[:, PITCH_LAYER:]], dim=1)[:, :wanted]

    def nearest_contour(self, parts: Latent) -> Tensor:
        """Codes [B, T] of the pitch."""
        # In float64: where hardly anything is voiced all contours are nearly as near, and rounding would choose.
        contours = (self.contour_codebooks.double() / self.config.pitch.lowest_hz).log2()
        return nearest_contour(parts.octaves.double(), parts.voicing.double(), contours)

    def pitch(self, codes: Tensor) -> Tensor:
        """Pitch in Hz [B, T, hops] of codes [B, K, T]."""
        usual = self.usual_codebooks[codes[:, 0].clamp(min=0)][..., None].expand(-1, -1, self.config.hops)
        if codes.shape[1] <= PITCH_LAYER:
            return usual
        code = codes[:, PITCH_LAYER]
        contours = functional.embedding(code.clamp(min=0), self.contour_codebooks)
        return torch.where((code >= 0)[..., None], contours, usual)

    def decode(self, codes: Tensor) -> Tensor:
        """Sound and pitch of codes [B, K, T]; any prefix of the layers decodes."""
        sound = torch.cat([codes[:, :PITCH_LAYER], codes[:, PITCH_LAYER + 1 :]], dim=1)
        return torch.cat([self.sound.decode(sound), self.pitch(codes)], dim=-1).transpose(1, 2)
