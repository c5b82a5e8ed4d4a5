"""Networks that tell decoded speech from recorded speech, and what the decoder learns of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

SIZES = (1024, 512, 256)
"""Windows in samples: one critic each. The hop is half a window."""
CHANNELS = 32
COMPRESSION = 0.3
"""Power to which magnitudes are raised: a critic that sees them as they are sees the loudest harmonics only."""
QUIET_POWER = 1e-6
"""Added to powers, relative to the source's mean power: 60 dB below speech nothing is judged."""
SLOPE = 0.2


class SpectralCritic(nn.Module):
    """pcm [B, T] of level 1 -> judgement [B, 1, frames, bins / 16] and what its layers saw, each [B, C, frames, bins'].

    Convolutions over frames and bins of the complex spectrum, with growing dilation over the frames and strides over
    the bins (after Defossez et al., "High fidelity neural audio compression", 2022).
    """

    def __init__(self, size: int, *, channels: int = CHANNELS) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        self.window: Tensor
        layers = [nn.Conv2d(3, channels, (3, 9), stride=(1, 2), padding=(1, 4))]
        for dilation in (1, 2, 4):
            layers.append(
                nn.Conv2d(channels, channels, (3, 9), stride=(1, 2), dilation=(dilation, 1), padding=(dilation, 4))
            )
        layers.append(nn.Conv2d(channels, channels, (3, 3), padding=1))
        self.layers = nn.ModuleList(weight_norm(layer) for layer in layers)
        self.judge = weight_norm(nn.Conv2d(channels, 1, (3, 3), padding=1))

    def seen(self, pcm: Tensor) -> Tensor:
        """The compressed spectrum: real part, imaginary part, log magnitude, [B, 3, frames, bins]."""
        spectrum = torch.stft(
            pcm, self.size, hop_length=self.size // 2, window=self.window, center=False, return_complex=True
        ).transpose(1, 2)
        parts = torch.view_as_real(spectrum) / self.window.square().sum().sqrt()
        power = parts.square().sum(dim=-1) + QUIET_POWER
        compressed = parts * power[..., None] ** (0.5 * (COMPRESSION - 1.0))
        return torch.cat([compressed.movedim(-1, 1), 0.1 * power.log()[:, None]], dim=1)

    def forward(self, pcm: Tensor) -> tuple[Tensor, list[Tensor]]:
        # Channels last: a GPU turns them so for every convolution otherwise.
        x, features = self.seen(pcm).contiguous(memory_format=torch.channels_last), []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), SLOPE)
            features.append(x)
        return self.judge(x), features


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the critics make of decoded speech; both have a gradient to it."""

    adversarial: Tensor
    """How sure they are that it is decoded, hinge form: the mean of minus their judgements."""
    features: Tensor
    """How differently their layers see it from its source: mean difference, relative to the mean of the source's."""


class Critics(nn.Module):
    """A critic for each of several resolutions of time and frequency, all of pcm [B, T]."""

    def __init__(self, *, sizes: tuple[int, ...] = SIZES, channels: int = CHANNELS) -> None:
        super().__init__()
        self.critics = nn.ModuleList(SpectralCritic(size, channels=channels) for size in sizes)

    def loss(self, decoded: Tensor, source: Tensor) -> Tensor:
        """What the critics have to learn: judgements of at least 1 of the source and at most -1 of what was decoded."""
        decoded, source = _levelled(decoded.detach(), source)
        total = source.new_zeros(())
        for critic in self.critics:
            (ours, _), (theirs, _) = critic(decoded), critic(source)
            total = total + (1.0 + ours.float()).relu().mean() + (1.0 - theirs.float()).relu().mean()
        return total / len(self.critics)

    def opinion(self, decoded: Tensor, source: Tensor) -> Opinion:
        """What the decoder has to learn."""
        decoded, source = _levelled(decoded, source)
        adversarial, difference = source.new_zeros(()), source.new_zeros(())
        for critic in self.critics:
            judgement, ours = critic(decoded)
            with torch.no_grad():
                _, theirs = critic(source)
            adversarial = adversarial - judgement.float().mean()
            for own, other in zip(ours, theirs, strict=True):
                distance = (own.float() - other.float()).abs().mean()
                difference = difference + distance / other.float().abs().mean().clamp(min=1e-4) / len(ours)
        return Opinion(adversarial / len(self.critics), difference / len(self.critics))


def _levelled(decoded: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """Both at the level at which the source is 1: critics judge how it sounds, not how loud it is."""
    level = source.square().mean(dim=1, keepdim=True).sqrt().clamp(min=1e-3)
    return decoded / level, source / level
