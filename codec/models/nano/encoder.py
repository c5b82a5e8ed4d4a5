"""nano's encoder: waveform to latents."""

from __future__ import annotations

from torch import Tensor, nn

from codec.models.layers import CausalConv1d, ChannelNorm, State, StreamingModule, StreamingSequential
from codec.models.layers.streaming import child_state, prefixed
from codec.models.nano.blocks import AttentionBlock, ConvNeXtBlock, downsample
from codec.models.nano.config import NanoConfig
from codec.models.nano.frontend import LogMel
from codec.models.samples import within_bounds


class NanoEncoder(StreamingModule):
    """pcm float32 [B, N * frame_size] -> latents [B, width, N]. NaN and infinities count as zeros."""

    def __init__(self, config: NanoConfig) -> None:
        super().__init__()
        self.frontend = LogMel(
            sample_rate=config.sample_rate, window=config.window, hop=config.hop, num_mels=config.num_mels
        )
        layers: list[nn.Module] = [CausalConv1d(config.num_mels, config.widths[0], 5)]
        for index, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True)):
            if index:
                layers.append(downsample(config.widths[index - 1], width))
            layers += [
                ConvNeXtBlock(width, kernel_size=config.kernel_size, expansion=config.expansion) for _ in range(depth)
            ]
        width = config.widths[-1]
        layers += [
            AttentionBlock(width, head_dim=config.head_dim, window=config.attention_window),
            ChannelNorm(width),
        ]
        self.layers = StreamingSequential(*layers)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        mel, frontend = self.frontend(within_bounds(x), child_state(state, "frontend"))
        latent, layers = self.layers(mel, child_state(state, "layers"))
        return latent, prefixed("frontend", frontend) | prefixed("layers", layers)
