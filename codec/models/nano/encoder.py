"""nano's encoder: waveform to latents."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.models.layers import CausalConv1d, ChannelNorm, State, StreamingModule, StreamingSequential
from codec.models.layers.streaming import child_state, prefixed
from codec.models.nano.blocks import AttentionBlock, ConvNeXtBlock, downsample
from codec.models.nano.config import NanoConfig
from codec.models.nano.frontend import LogMel, Magnitudes
from codec.models.nano.pitch import PitchReading, PitchTracker
from codec.models.samples import within_bounds


class NanoEncoder(StreamingModule):
    """pcm float32 [B, N * frame_size] -> latents [B, latent_dim + 2 * hops, N]. NaN and infinities count as zeros.

    The sound: what the network says of it, and a linear map of the frame's log-mel patch for the detail that the
    network leaves out. Then the pitch and the voicing of each hop.
    """

    def __init__(self, config: NanoConfig) -> None:
        super().__init__()
        self.hops = config.hops
        self.frontend = Magnitudes(window=config.window, hop=config.hop)
        self.mel = LogMel(sample_rate=config.sample_rate, window=config.window, num_mels=config.num_mels)
        self.tracker = PitchTracker(config.pitch, window=config.window, sample_rate=config.sample_rate)
        self.reading = PitchReading(config.pitch)
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
        self.patch = nn.Linear(config.hops * config.num_mels, config.latent_dim)
        self.project = nn.Linear(width, config.latent_dim, bias=False)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        magnitudes, frontend = self.frontend(within_bounds(x), child_state(state, "frontend"))
        with torch.no_grad():
            outputs, tracker = self.tracker(magnitudes, child_state(state, "tracker"))
            pitch = torch.cat([self._by_frame(part[..., None]) for part in self.reading(outputs)], dim=-1)
        mel = self.mel(magnitudes)
        y, layers = self.layers(mel, child_state(state, "layers"))
        sound = self.patch(self._by_frame(mel.transpose(1, 2))) + self.project(y.transpose(1, 2))
        after = prefixed("frontend", frontend) | prefixed("tracker", tracker) | prefixed("layers", layers)
        return torch.cat([sound, pitch], dim=-1).transpose(1, 2), after

    def _by_frame(self, hops: Tensor) -> Tensor:
        """[B, N * hops, C] -> [B, N, hops * C]."""
        return hops.reshape(hops.shape[0], -1, self.hops * hops.shape[2])
