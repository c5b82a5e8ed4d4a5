"""The decoder: latents to waveform, without any look-ahead."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from codec.models.layers import (
    CausalConv1d,
    CausalConvTranspose1d,
    RootMeanSquareNorm,
    State,
    StreamingModule,
    StreamingSequential,
    child_state,
    prefixed,
)
from codec.models.qwen3.config import Qwen3DecoderConfig
from codec.models.qwen3.transformer import GatedNetwork, TransformerBlock

DILATIONS = (1, 3, 9)
"""Of the residual units of a block; the configuration does not state them."""
CONVNEXT_EPS = 1e-6
CONVNEXT_KERNEL = 7
CONVNEXT_EXPANSION = 4


class SnakeBeta(nn.Module):
    """x + gain * sin(frequency * x)^2 over [B, C, T]; both [C, 1], from stored logarithms.

    Source: Snake (Ziyin et al., 2020), with a magnitude of its own (BigVGAN, 2022).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.ones(channels, 1))
        self.gain = nn.Parameter(torch.ones(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        wave = torch.sin(self.frequency * x)
        return x + self.gain * (wave * wave)


class DecoderResidualUnit(StreamingModule):
    """x + conv(snake(conv(snake(x)))): a dilated convolution, then one of kernel 1."""

    def __init__(self, channels: int, *, dilation: int) -> None:
        super().__init__()
        self.first_snake = SnakeBeta(channels)
        self.first = CausalConv1d(channels, channels, 7, dilation=dilation)
        self.second_snake = SnakeBeta(channels)
        self.second = CausalConv1d(channels, channels, 1)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, after = self.first(self.first_snake(x), child_state(state, "first"))
        y, _ = self.second(self.second_snake(y), {})
        return x + y, prefixed("first", after)


class UpsampleBlock(StreamingModule):
    """Twice the rate by a transposed convolution without overlap, then a ConvNeXt block (Liu et al., 2022)."""

    def __init__(self, channels: int, *, factor: int) -> None:
        super().__init__()
        self.upsample = CausalConvTranspose1d(channels, channels, factor, stride=factor)
        self.mix = CausalConv1d(channels, channels, CONVNEXT_KERNEL, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=CONVNEXT_EPS)
        self.expand = nn.Linear(channels, CONVNEXT_EXPANSION * channels)
        self.project = nn.Linear(CONVNEXT_EXPANSION * channels, channels)
        self.gamma = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        x, _ = self.upsample(x, {})
        y, after = self.mix(x, child_state(state, "mix"))
        y = self.norm(y.transpose(1, 2))
        y = self.gamma * self.project(functional.gelu(self.expand(y)))
        return x + y.transpose(1, 2), prefixed("mix", after)


class PreTransformer(StreamingModule):
    """[B, latent_dim, N] -> [B, latent_dim, N]: a transformer of its own, narrower width."""

    def __init__(self, config: Qwen3DecoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.enter = nn.Linear(config.latent_dim, width)
        self.blocks = StreamingSequential(
            *(
                TransformerBlock(
                    width,
                    num_heads=config.num_attention_heads,
                    head_dim=config.head_dim,
                    window=config.sliding_window,
                    theta=config.rope_theta,
                    attention_norm=RootMeanSquareNorm(width, eps=config.rms_norm_eps),
                    network_norm=RootMeanSquareNorm(width, eps=config.rms_norm_eps),
                    network=GatedNetwork(width, config.intermediate_size),
                )
                for _ in range(config.num_hidden_layers)
            )
        )
        self.norm = RootMeanSquareNorm(width, eps=config.rms_norm_eps)
        self.leave = nn.Linear(width, config.latent_dim)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, blocks = self.blocks(self.enter(x.transpose(1, 2)), child_state(state, "blocks"))
        return self.leave(self.norm(y)).transpose(1, 2), prefixed("blocks", blocks)


class Qwen3Decoder(StreamingModule):
    """latents [B, codebook_dim, N] -> pcm float32 [B, N * frame_size] in [-1, 1], nothing of it late."""

    def __init__(self, config: Qwen3DecoderConfig) -> None:
        super().__init__()
        self.enter = CausalConv1d(config.codebook_dim, config.latent_dim, 3)
        self.transformer = PreTransformer(config)
        self.upsample = StreamingSequential(
            *(UpsampleBlock(config.latent_dim, factor=factor) for factor in config.upsampling_ratios)
        )
        channels = config.decoder_dim
        layers: list[nn.Module] = [CausalConv1d(config.latent_dim, channels, 7)]
        for rate in config.upsample_rates:
            layers += [SnakeBeta(channels), CausalConvTranspose1d(channels, channels // 2, 2 * rate, stride=rate)]
            channels //= 2
            layers += [DecoderResidualUnit(channels, dilation=dilation) for dilation in DILATIONS]
        layers += [SnakeBeta(channels), CausalConv1d(channels, 1, 7)]
        self.waveform = StreamingSequential(*layers)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        after: State = {}
        for name, part in (
            ("enter", self.enter),
            ("transformer", self.transformer),
            ("upsample", self.upsample),
            ("waveform", self.waveform),
        ):
            x, changed = part(x, child_state(state, name))
            after |= prefixed(name, changed)
        return x.squeeze(1).clamp(-1.0, 1.0), after
