"""What is on when: a function of the share of a run that has passed, so that any length of run has the whole shape."""

from __future__ import annotations

import math
from dataclasses import dataclass

from codec.models.nano.train.config import TrainConfig
from codec.models.nano.train.stages import Stage

WARM_UP_STEPS = 100
LAST_RATE = 0.02
"""Share of the learning rate that is left in the end."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a step is about; steps of one lesson do the same on other data."""

    stage: Stage
    envelope: bool
    """Whether the envelope loss counts."""
    critics_learn: bool
    critics_speak: bool
    """Whether the decoder hears them."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Shares are of the minutes of the run, 0 … 1."""

    config: TrainConfig
    from_release: bool = False
    """A run that begins from trained weights: there is nothing to do without a quantiser."""

    def stage(self, share: float) -> Stage:
        """The stage that the run should be in."""
        if share >= self.config.unturned_share:
            return Stage.TURNED
        if self.from_release or share >= self.config.unquantised_share:
            return Stage.QUANTISED
        return Stage.SPEAKING

    def lesson(self, stage: Stage, share: float) -> Lesson:
        """What the steps of a stage are about at a time."""
        learn = self.config.critics and stage is Stage.TURNED
        return Lesson(
            stage=stage,
            envelope=self.from_release or share >= self.config.envelope_share,
            critics_learn=learn,
            critics_speak=learn and share >= self.config.critics_share,
        )

    def learning_rate(self, share: float, steps_since_warm_up: int) -> float:
        """Cosine over the run down to LAST_RATE, after a short linear warm-up."""
        cosine = 0.5 * (1.0 + math.cos(math.pi * share))
        warm = min(1.0, (steps_since_warm_up + 1) / WARM_UP_STEPS)
        return self.config.learning_rate * warm * (LAST_RATE + (1.0 - LAST_RATE) * cosine)
