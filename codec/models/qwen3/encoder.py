"""The encoder: waveform to latents. SEANet, a transformer at 25 Hz, then half that rate, as in Mimi.

SEANet: SoundStream (Zeghidour et al., 2021); Mimi: Moshi (Défossez et al., 2024).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from codec.models.layers import (
    CausalConv1d,
    State,
    StreamingModule,
    StreamingSequential,
    child_state,
    prefixed,
)
from codec.models.qwen3.config import Qwen3EncoderConfig
from codec.models.qwen3.transformer import GeluNetwork, TransformerBlock
from codec.models.samples import within_bounds


class EncoderResidualUnit(StreamingModule):
    """x + conv(ELU(conv(ELU(x)))): a dilated convolution to fewer channels, and one of kernel 1 back."""

    def __init__(self, channels: int, *, kernel_size: int, dilation: int, compress: int) -> None:
        super().__init__()
        self.narrow = CausalConv1d(channels, channels // compress, kernel_size, dilation=dilation)
        self.widen = CausalConv1d(channels // compress, channels, 1)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, after = self.narrow(functional.elu(x), child_state(state, "narrow"))
        y, _ = self.widen(functional.elu(y), {})
        return x + y, prefixed("narrow", after)


class Qwen3Encoder(StreamingModule):
    """pcm float32 [B, N * frame_size] -> latents [B, hidden_size, N]. NaN and infinities count as zeros."""

    def __init__(self, config: Qwen3EncoderConfig) -> None:
        super().__init__()
        channels = config.num_filters
        layers: list[nn.Module] = [CausalConv1d(1, channels, config.kernel_size)]
        for ratio in reversed(config.upsampling_ratios):
            layers += [
                EncoderResidualUnit(
                    channels,
                    kernel_size=config.residual_kernel_size,
                    dilation=config.dilation_growth_rate**index,
                    compress=config.compress,
                )
                for index in range(config.num_residual_layers)
            ]
            layers += [nn.ELU(), CausalConv1d(channels, 2 * channels, 2 * ratio, stride=ratio)]
            channels *= 2
        layers += [nn.ELU(), CausalConv1d(channels, config.hidden_size, config.last_kernel_size)]
        self.convolutions = StreamingSequential(*layers)
        width = config.hidden_size
        self.transformer = StreamingSequential(
            *(
                TransformerBlock(
                    width,
                    num_heads=config.num_attention_heads,
                    head_dim=config.head_dim,
                    window=config.sliding_window,
                    theta=config.rope_theta,
                    attention_norm=nn.LayerNorm(width, eps=config.norm_eps),
                    network_norm=nn.LayerNorm(width, eps=config.norm_eps),
                    network=GeluNetwork(width, config.intermediate_size),
                )
                for _ in range(config.num_hidden_layers)
            )
        )
        self.downsample = CausalConv1d(width, width, 4, stride=2, bias=False, start="replicate")

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, convolutions = self.convolutions(within_bounds(x)[:, None], child_state(state, "convolutions"))
        y, transformer = self.transformer(y.transpose(1, 2), child_state(state, "transformer"))
        y, downsample = self.downsample(y.transpose(1, 2), child_state(state, "downsample"))
        after = prefixed("convolutions", convolutions) | prefixed("transformer", transformer)
        return y, after | prefixed("downsample", downsample)
