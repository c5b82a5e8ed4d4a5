"""nano's decoder: latents to waveform."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.models.layers import CausalConv1d, ChannelNorm, OverlapAdd, State, StreamingModule, StreamingSequential
from codec.models.layers.streaming import child_state, prefixed
from codec.models.nano.blocks import AttentionBlock, ConvNeXtBlock, upsample
from codec.models.nano.config import NanoConfig
from codec.models.spectral import synthesis_basis

LOUDEST = 4.0
"""Natural logarithm of the largest magnitude a bin may take, about that of a full-scale sine."""


class SpectrumHead(StreamingModule):
    """[B, C, T] -> pcm [B, T * hop]: magnitude and phase of every bin, then the inverse Fourier transform as a matrix.

    Vocos (Siuzdak, 2023) predicts the same pair; here the transform is real arithmetic with overlap-add as state,
    because it has to run in a stream and in ONNX.
    """

    def __init__(self, channels: int, *, window: int, hop: int) -> None:
        super().__init__()
        bins = window // 2 + 1
        self.spectrum = nn.Linear(channels, 2 * bins)
        nn.init.constant_(self.spectrum.bias[:bins], -3.0)
        self.register_buffer("basis", synthesis_basis(window, hop), persistent=False)
        self.basis: Tensor
        self.overlap_add = OverlapAdd(size=window, hop=hop)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        level, phase = self.spectrum(x.transpose(1, 2)).float().chunk(2, dim=-1)
        magnitude = level.clamp(max=LOUDEST).exp()
        parts = torch.cat([magnitude * phase.cos(), magnitude * phase.sin()], dim=-1)
        pcm, after = self.overlap_add(parts @ self.basis, child_state(state, "overlap_add"))
        return pcm, prefixed("overlap_add", after)


class NanoDecoder(StreamingModule):
    """latents [B, width, N] -> pcm float32 [B, N * frame_size] in [-1, 1], `delay_samples` behind the input."""

    def __init__(self, config: NanoConfig) -> None:
        super().__init__()
        first = config.decoder_widths[0]
        layers: list[nn.Module] = [
            CausalConv1d(config.widths[-1], first, 3),
            AttentionBlock(first, head_dim=config.head_dim, window=config.attention_window),
        ]
        for index, (width, depth) in enumerate(zip(config.decoder_widths, config.decoder_depths, strict=True)):
            if index:
                layers.append(upsample(config.decoder_widths[index - 1], width))
            layers += [
                ConvNeXtBlock(width, kernel_size=config.kernel_size, expansion=config.expansion) for _ in range(depth)
            ]
        layers += [ChannelNorm(config.decoder_widths[-1])]
        self.layers = StreamingSequential(*layers)
        self.head = SpectrumHead(config.decoder_widths[-1], window=config.window, hop=config.hop)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, layers = self.layers(x, child_state(state, "layers"))
        pcm, head = self.head(y, child_state(state, "head"))
        return pcm.clamp(-1.0, 1.0), prefixed("layers", layers) | prefixed("head", head)
