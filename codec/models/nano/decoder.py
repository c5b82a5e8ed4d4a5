"""nano's decoder: latents to waveform."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.models.layers import CausalConv1d, ChannelNorm, State, StreamingModule, StreamingSequential
from codec.models.layers.streaming import child_state, prefixed
from codec.models.nano.blocks import AttentionBlock, ConvNeXtBlock, upsample
from codec.models.nano.config import NanoConfig
from codec.models.nano.head import HarmonicNoiseHead


class NanoDecoder(StreamingModule):
    """Sound and pitch [B, latent_dim + hops, N] -> pcm float32 [B, N * frame_size] in [-1, 1].

    `delay_samples` behind the input. The network works its way up from the frames to the hops; at the rate of the hops
    it is also given the log-mel patch that the latent stands for, a linear map as in the encoder.
    """

    def __init__(self, config: NanoConfig) -> None:
        super().__init__()
        self.config = config
        widths, depths = config.decoder_widths, config.decoder_depths
        self.first = CausalConv1d(config.latent_dim, widths[0], 3)
        layers: list[nn.Module] = [AttentionBlock(widths[0], head_dim=config.head_dim, window=config.attention_window)]
        for index, (width, depth) in enumerate(zip(widths[:-1], depths[:-1], strict=True)):
            if index:
                layers.append(upsample(widths[index - 1], width))
            layers += self._blocks(width, depth)
        self.layers = StreamingSequential(*layers, upsample(widths[-2], widths[-1]))
        self.patch = nn.Linear(config.latent_dim, config.hops * config.num_mels)
        self.join = CausalConv1d(config.num_mels, widths[-1], 3)
        self.fine = StreamingSequential(*self._blocks(widths[-1], depths[-1]), ChannelNorm(widths[-1]))
        self.head = HarmonicNoiseHead(
            widths[-1], size=config.synthesis_window, hop=config.hop, sample_rate=config.sample_rate
        )

    def _blocks(self, width: int, depth: int) -> list[nn.Module]:
        kernel, expansion = self.config.kernel_size, self.config.expansion
        return [ConvNeXtBlock(width, kernel_size=kernel, expansion=expansion) for _ in range(depth)]

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        sound, pitch = torch.split(x, [self.config.latent_dim, self.config.hops], dim=1)
        pitch = pitch.transpose(1, 2).flatten(1)
        y, first = self.first(sound, child_state(state, "first"))
        y, layers = self.layers(y, child_state(state, "layers"))
        patch = self.patch(sound.transpose(1, 2)).reshape(x.shape[0], -1, self.config.num_mels).transpose(1, 2)
        joined, join = self.join(patch, child_state(state, "join"))
        y, fine = self.fine(y + joined, child_state(state, "fine"))
        pcm, head = self.head(y, child_state(state, "head"), pitch)
        parts = {"first": first, "layers": layers, "join": join, "fine": fine, "head": head}
        return pcm.clamp(-1.0, 1.0), {k: v for name, part in parts.items() for k, v in prefixed(name, part).items()}
