"""Both halves, each with a quantiser of its own: the encoder's searches, the decoder's looks up."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.models.layers import ResidualQuantizer, SplitResidualQuantizer
from codec.models.qwen3.config import Qwen3Config
from codec.models.qwen3.decoder import Qwen3Decoder
from codec.models.qwen3.encoder import Qwen3Encoder


class Qwen3Tokenizer(nn.Module):
    """The whole codec for one pass; streams go through `codec.models.session`."""

    def __init__(self, config: Qwen3Config) -> None:
        super().__init__()
        self.config = config
        self.encoder = Qwen3Encoder(config.encoder)
        self.encoder_quantizer = _split(
            config.num_layers,
            codebook_size=config.encoder.codebook_size,
            dim=config.encoder.codebook_dim,
            width=config.encoder.hidden_size,
        )
        self.decoder_quantizer = _split(
            config.num_layers,
            codebook_size=config.decoder.codebook_size,
            dim=config.decoder.codebook_dim // 2,
            width=config.decoder.codebook_dim,
        )
        self.decoder = Qwen3Decoder(config.decoder)

    @torch.inference_mode()
    def encode(self, pcm: Tensor) -> Tensor:
        """Codes [B, K, N] int64 of whole recordings pcm [B, N * frame_size]."""
        return self.encoder_quantizer.encode(self.encoder.offline(pcm))

    @torch.inference_mode()
    def decode(self, codes: Tensor) -> Tensor:
        """pcm [B, N * frame_size] of codes [B, K, N], K any prefix of the layers, from the beginning of a stream."""
        return self.decoder.offline(self.decoder_quantizer.decode(codes))


def _split(num_layers: int, *, codebook_size: int, dim: int, width: int) -> SplitResidualQuantizer:
    """One layer, and the others, each stack with its own projections of the same latent."""
    return SplitResidualQuantizer(
        [
            ResidualQuantizer(num_layers=layers, codebook_size=codebook_size, dim=dim, width=width)
            for layers in (1, num_layers - 1)
        ]
    )
