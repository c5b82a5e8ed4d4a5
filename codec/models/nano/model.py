"""nano, both halves and the quantiser between them."""

from __future__ import annotations

from torch import Tensor, nn

from codec.models.nano.config import NanoConfig
from codec.models.nano.decoder import NanoDecoder
from codec.models.nano.encoder import NanoEncoder
from codec.models.nano.quantizer import NanoQuantizer


class Nano(nn.Module):
    """The whole codec for one pass; streams go through `codec.models.session`."""

    def __init__(self, config: NanoConfig | None = None) -> None:
        super().__init__()
        self.config = config or NanoConfig()
        self.encoder = NanoEncoder(self.config)
        self.quantizer = NanoQuantizer(self.config)
        self.decoder = NanoDecoder(self.config)

    def encode(self, pcm: Tensor) -> Tensor:
        """Codes [B, K, N] int64 of whole recordings pcm [B, N * frame_size]."""
        return self.quantizer.encode(self.encoder.offline(pcm))

    def decode(self, codes: Tensor) -> Tensor:
        """pcm [B, N * frame_size] of codes [B, K, N], from the beginning of a stream."""
        return self.decoder.offline(self.quantizer.decode(codes))
