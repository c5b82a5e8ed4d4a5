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
