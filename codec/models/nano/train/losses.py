"""How far a decoded signal is from its source, at several resolutions of time and frequency."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.models.spectral import mel_filters, third_octave_bands

RESOLUTIONS = ((2048, 128), (1024, 96), (512, 80), (256, 40), (128, 20))
"""Window in samples and mel bands; the hop is a quarter of the window."""
FLOOR = 1e-4
"""Magnitudes below this (noise of 3 units of 16 bits) do not count."""


class MultiResolutionMelLoss(nn.Module):
    """Mean over the resolutions of two distances of mel magnitudes of pcm [B, T].

    Per-frame root mean square of the log difference (which rewards getting whole frames right), and the absolute
    difference relative to the mean magnitude of the row (which keeps the loud parts honest).
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        for size, mels in RESOLUTIONS:
            self.register_buffer(f"window{size}", torch.hann_window(size), persistent=False)
            self.register_buffer(
                f"filters{size}", mel_filters(num_mels=mels, size=size, sample_rate=sample_rate), persistent=False
            )

    def mel(self, pcm: Tensor, size: int) -> Tensor:
        """Mel magnitudes [B, frames, mels], scaled so that white noise of deviation s gives about s."""
        window: Tensor = getattr(self, f"window{size}")
        filters: Tensor = getattr(self, f"filters{size}")
        spectrum = torch.stft(pcm, size, hop_length=size // 4, window=window, center=True, return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()
        magnitude = (power / window.square().sum() + 1e-12).sqrt()
        return magnitude.transpose(1, 2) @ filters

    def forward(self, decoded: Tensor, source: Tensor) -> Tensor:
        total = decoded.new_zeros(())
        for size, _ in RESOLUTIONS:
            ours, theirs = self.mel(decoded, size), self.mel(source, size)
            log_difference = ours.clamp(min=FLOOR).log() - theirs.clamp(min=FLOOR).log()
            per_frame = (log_difference.square().mean(dim=-1) + 1e-6).sqrt().mean()
            mean_level = theirs.mean(dim=(1, 2)).clamp(min=FLOOR)
            relative = ((ours - theirs).abs().mean(dim=(1, 2)) / mean_level).mean()
            total = total + per_frame + relative
        return total / len(RESOLUTIONS)


class EnvelopeCorrelationLoss(nn.Module):
    """One minus the correlation of the envelopes of decoded and source pcm [B, T], band by band over 0.4 s.

    The heart of STOI (Taal et al., 2011) without its clipping and at our sample rate: third-octave bands from 150 Hz,
    frames of 25.6 ms, segments of 30 frames, a new one every 5. Lasting differences of level or colour do not count,
    only how the bands move; intelligibility hangs on that, and the mel distances say little about it. Segments 40 dB
    below the loudest of their row are silence and left out.
    """

    SEGMENT_FRAMES = 30
    BANDS = 15
    LOWEST_HZ = 150.0
    SILENCE = 1e-4

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.hop = round(0.0128 * sample_rate)
        self.size = 512
        window = torch.zeros(self.size)
        window[: 2 * self.hop] = torch.hann_window(2 * self.hop)
        bands = third_octave_bands(count=self.BANDS, lowest_hz=self.LOWEST_HZ, size=self.size, sample_rate=sample_rate)
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("bands", bands, persistent=False)
        self.window: Tensor
        self.bands: Tensor

    def envelopes(self, pcm: Tensor) -> Tensor:
        """Segments of band magnitudes, [B, segments, bands, SEGMENT_FRAMES]."""
        spectrum = torch.stft(pcm, self.size, hop_length=self.hop, window=self.window, return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()
        magnitude = (power.transpose(1, 2) @ self.bands + 1e-10).sqrt()
        segments: Tensor = magnitude.unfold(1, self.SEGMENT_FRAMES, 5)
        return segments

    def forward(self, decoded: Tensor, source: Tensor) -> Tensor:
        ours, theirs = self.envelopes(decoded), self.envelopes(source)
        energy = theirs.square().mean(dim=(2, 3))
        heard = (energy > self.SILENCE * energy.amax(dim=1, keepdim=True)) & (energy > 1e-6)
        ours = ours - ours.mean(dim=-1, keepdim=True)
        theirs = theirs - theirs.mean(dim=-1, keepdim=True)
        norms = ours.norm(dim=-1) * theirs.norm(dim=-1)
        correlation = ((ours * theirs).sum(dim=-1) / (norms + 1e-5)).mean(dim=-1)
        mean: Tensor = (correlation * heard).sum() / heard.sum().clamp(min=1)
        return 1.0 - mean


class LoudnessLoss(nn.Module):
    """How much louder or softer decoded pcm [B, T] is than its source in what the ear hears in each critical band.

    After PESQ's model of hearing (ITU-T P.862): power in 49 Bark bands over frames of 32 ms, brought to one listening
    level, loudness in sone by Zwicker's law over the threshold of hearing; differences that the louder one masks do not
    count. Returns two disturbances: of everything, and once more of what was added where there was little (noise
    between harmonics, above all), which annoys more than what is missing. Both are root mean squares over time.
    """

    SIZE = 512
    BANDS = 49
    LISTENING_LEVEL = 1e6
    """Mean power in a band after normalisation, over the threshold at 1 kHz: about 60 dB."""
    EXPONENT = 0.23

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        frequency = torch.arange(self.SIZE // 2 + 1) * (sample_rate / self.SIZE)
        bark = 26.81 * frequency / (1960.0 + frequency) - 0.53  # Traunmueller, 1990
        edges = torch.linspace(float(bark[2]) - 0.2, float(bark[-1]) + 1e-3, self.BANDS + 1)
        inside = ((bark[:, None] >= edges[:-1]) & (bark[:, None] < edges[1:])).float()
        # A band narrower than the distance of two bins may hold none: it then takes the nearest.
        nearest = (bark[:, None] - (edges[1:] + edges[:-1]) / 2).abs().argmin(dim=0)
        empty = inside.sum(dim=0) == 0
        inside[nearest[empty], empty.nonzero().squeeze(1)] = 1.0
        kilohertz = (frequency[nearest] / 1000.0).clamp(min=0.05)
        # Threshold in quiet in dB: Terhardt, 1979.
        quiet = 3.64 * kilohertz**-0.8 - 6.5 * torch.exp(-0.6 * (kilohertz - 3.3) ** 2) + 1e-3 * kilohertz**4
        self.register_buffer("bands", inside / inside.sum(dim=0), persistent=False)
        self.register_buffer("threshold", 10.0 ** (quiet.clamp(max=60.0) / 10.0), persistent=False)
        self.register_buffer("window", torch.hann_window(self.SIZE), persistent=False)
        self.bands: Tensor
        self.threshold: Tensor
        self.window: Tensor

    def powers(self, pcm: Tensor) -> Tensor:
        """Mean power in each band, [B, frames, BANDS]."""
        spectrum = torch.stft(
            pcm, self.SIZE, hop_length=self.SIZE // 2, window=self.window, center=False, return_complex=True
        )
        return (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2) @ self.bands

    def loudness(self, powers: Tensor) -> Tensor:
        """Sone in each band; nothing under the threshold."""
        over = (0.5 + 0.5 * powers / self.threshold) ** self.EXPONENT - 1.0
        return ((self.threshold / 0.5) ** self.EXPONENT * over).clamp(min=0.0)

    def forward(self, decoded: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        ours, theirs = self.powers(decoded), self.powers(source)
        scale = self.LISTENING_LEVEL / (theirs.mean(dim=(1, 2), keepdim=True) + 1e-9)
        ours, theirs = ours * scale, theirs * scale
        # Half of a frame's difference in level is forgiven: the ear follows gain.
        frame = (theirs.sum(dim=-1, keepdim=True) + 5e3) / (ours.sum(dim=-1, keepdim=True) + 5e3)
        ours = ours * frame.clamp(0.3, 3.0).detach().sqrt()
        heard, wanted = self.loudness(ours), self.loudness(theirs)
        difference = heard - wanted
        masked = 0.25 * torch.minimum(heard, wanted)
        difference = difference.sign() * (difference.abs() - masked).clamp(min=0.0)
        added = ((ours + 50.0) / (theirs + 50.0)) ** 1.2
        added = torch.where(added < 3.0, 0.0, added.clamp(max=12.0)).detach()
        weight = ((theirs.sum(dim=-1) + 1e5) / 1e7) ** -0.04
        everything = weight * (difference.square().mean(dim=-1) + 1e-6).sqrt()
        additions = weight * (difference.abs() * added).mean(dim=-1)
        return tuple((part.square().mean(dim=1) + 1e-9).sqrt().mean() for part in (everything, additions))  # type: ignore[return-value]
