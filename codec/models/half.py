"""The two halves of a codec as the ONNX files have them: samples to codes, and codes to samples."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from codec.models.layers import State, StreamingModule


class Quantizer(Protocol):
    """What is between the halves, whatever its codebooks look like."""

    def project(self, latent: Tensor) -> Tensor:
        """What is quantised, [B, T, dim], of latent [B, width, T]."""

    def encode(self, latent: Tensor) -> Tensor:
        """Codes [B, K, T]."""

    def decode(self, codes: Tensor) -> Tensor:
        """What the decoder takes, [B, width, T]."""


class CodecHalf(nn.Module):
    """`forward(data, state)` gives a tuple of outputs, the result first, and the state after them."""

    outputs: tuple[str, ...]
    """Names of the outputs."""

    def initial_state(self, batch_size: int) -> State:
        """State of streams that have not begun."""
        raise NotImplementedError

    def forward(self, data: Tensor, state: State) -> tuple[tuple[Tensor, ...], State]:
        raise NotImplementedError


class EncoderHalf(CodecHalf):
    """pcm float32 [B, N * frame_size] -> codes int64 [B, K, N] and latents float32 [B, N, dim], what was quantised."""

    outputs = ("codes", "latents")

    def __init__(self, encoder: StreamingModule, quantizer: Quantizer) -> None:
        super().__init__()
        self.encoder, self.quantizer = encoder, quantizer

    def initial_state(self, batch_size: int) -> State:
        return self.encoder.initial_state(batch_size)

    def forward(self, data: Tensor, state: State) -> tuple[tuple[Tensor, ...], State]:
        latent, after = self.encoder(data, state)
        return (self.quantizer.encode(latent), self.quantizer.project(latent)), after


class DecoderHalf(CodecHalf):
    """codes int64 [B, K, N], -1 in a suffix of the layers -> pcm float32 [B, N * frame_size]."""

    outputs = ("pcm",)

    def __init__(self, decoder: StreamingModule, quantizer: Quantizer) -> None:
        super().__init__()
        self.decoder, self.quantizer = decoder, quantizer

    def initial_state(self, batch_size: int) -> State:
        return self.decoder.initial_state(batch_size)

    def forward(self, data: Tensor, state: State) -> tuple[tuple[Tensor, ...], State]:
        pcm, after = self.decoder(self.quantizer.decode(data), state)
        return (pcm,), after
