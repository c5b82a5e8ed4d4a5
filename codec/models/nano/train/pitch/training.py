"""Training of the pitch tracker."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from codec.models.nano.config import NanoConfig
from codec.models.nano.frontend import Magnitudes
from codec.models.nano.pitch import PitchReading, PitchTracker

Batch = tuple[Tensor, Tensor]
"""pcm [B, T] and the pitch in Hz at the end of each hop [B, T / hop], 0 where unvoiced."""

SPREAD_CENTS = 20.0
"""Deviation of the soft target around the true pitch."""
GROSS_CENTS = 50.0


class TrackerTraining(nn.Module):
    """The tracker with what is before and behind it in the encoder."""

    def __init__(self, config: NanoConfig) -> None:
        super().__init__()
        self.config = config
        self.magnitudes = Magnitudes(window=config.window, hop=config.hop)
        self.tracker = PitchTracker(config.pitch, window=config.window, sample_rate=config.sample_rate)
        self.reading = PitchReading(config.pitch)

    def forward(self, pcm: Tensor) -> Tensor:
        """Outputs of the tracker for whole recordings [B, T]: [B, T / hop, classes + 1]."""
        with torch.no_grad():
            magnitudes = self.magnitudes.offline(pcm)
        return self.tracker.offline(magnitudes)

    def targets(self, pitch: Tensor) -> tuple[Tensor, Tensor]:
        """Octaves above the lowest pitch and which frames are voiced, as the tracker is to tell them: later."""
        hops = self.config.lookahead // self.config.hop
        delayed = functional.pad(pitch, (hops, 0))[:, : pitch.shape[1]]
        low = self.config.pitch.lowest_hz
        return (delayed.clamp(min=low) / low).log2(), delayed > 0

    def loss(self, outputs: Tensor, pitch: Tensor) -> Tensor:
        """Cross entropy of the class where there is a pitch, and of the voicing everywhere."""
        octave, voiced = self.targets(pitch)
        distance = (self.reading.octaves - octave[..., None]) * (1200.0 / SPREAD_CENTS)
        target = functional.softmax(-0.5 * distance.square(), dim=-1)
        entropy = -(target * functional.log_softmax(outputs[..., :-1], dim=-1)).sum(dim=-1)
        entropy = (entropy * voiced).sum() / voiced.sum().clamp(min=1)
        return entropy + functional.binary_cross_entropy_with_logits(outputs[..., -1], voiced.float())

    @torch.no_grad()
    def figures(self, batch: Batch) -> dict[str, float]:
        """Median error in cents, share of gross errors among voiced frames, share of frames with the right voicing."""
        pcm, pitch = batch
        octave, voicing = self.reading(self(pcm))
        target, voiced = self.targets(pitch)
        error = 1200.0 * (octave - target).abs()[voiced]
        return {
            "median_cents": float(error.median()),
            "gross": float((error > GROSS_CENTS).float().mean()),
            "voicing": float(((voicing > 0.5) == voiced).float().mean()),
        }


def train_tracker(
    model: TrackerTraining,
    batches: Callable[[int], Batch],
    held_out: Batch,
    *,
    steps: int,
    learning_rate: float = 2e-3,
    report: Callable[[int, dict[str, float]], None] = lambda step, figures: None,
) -> None:
    """Train `model` on batches(step), a cosine down to nothing; `report` gets the held-out figures now and then."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1.0, (step + 1) / 100) * 0.5 * (1.0 + math.cos(math.pi * step / steps))
        pcm, pitch = batches(step)
        loss = model.loss(model(pcm), pitch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if (step + 1) % 250 == 0 or step + 1 == steps:
            report(step + 1, {"loss": float(loss.detach()), **model.figures(held_out)})
