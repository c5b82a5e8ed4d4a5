"""High-pass, gain, automatic gain, limiter: in this order, and only those that are asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from codec.checks import clean_samples
from gateway.conditioning.auto_gain import AutoGain
from gateway.conditioning.high_pass import HighPass
from gateway.conditioning.limiter import Limiter
from gateway.config import ConditioningConfig

__all__ = ["Conditioning"]

logger = logging.getLogger(__name__)


class Conditioning:
    """Mono float32 at the codec's rate, blocks of any length in; the same samples out, some up to 6 ms later.

    The limiter works where it is asked for, and always behind the automatic gain. A fixed gain without it cuts off
    what passes full scale: counted, and said once. NaN and infinities become silence here, because a filter would
    remember them. For one thread at a time.
    """

    def __init__(self, config: ConditioningConfig, sample_rate: int) -> None:
        self._gain_db = config.gain_db
        self._gain = np.float32(10.0 ** (config.gain_db / 20.0))
        self._high_pass = None if config.high_pass_hz is None else HighPass(config.high_pass_hz, sample_rate)
        self._auto_gain = AutoGain(sample_rate) if config.auto_gain else None
        self._limiter = Limiter(sample_rate) if config.limiter or config.auto_gain else None
        self._overdriven_samples = 0
        self._nonfinite_samples = 0

    @property
    def idle(self) -> bool:
        """True where nothing is asked for: then every sample passes as it is, bit for bit."""
        return self._gain_db == 0.0 and self._high_pass is None and self._auto_gain is None and self._limiter is None

    @property
    def held(self) -> int:
        """Samples taken and not yet returned."""
        return 0 if self._limiter is None else self._limiter.held

    @property
    def counters(self) -> Mapping[str, int]:
        """What each part that is there did; nothing where none is.

        conditioning_nonfinite_samples: NaN and infinities silenced. conditioning_gain_db: of the automatic gain now.
        conditioning_limited_ms: how long the limiter turned down. conditioning_overdriven_samples: cut off because
        the fixed gain is too high.
        """
        counters: dict[str, int] = {}
        if not self.idle:
            counters["conditioning_nonfinite_samples"] = self._nonfinite_samples
        if self._auto_gain is not None:
            counters["conditioning_gain_db"] = round(self._auto_gain.gain_db)
        if self._limiter is not None:
            counters["conditioning_limited_ms"] = self._limiter.limited_ms
        elif self._gain_db > 0.0:
            counters["conditioning_overdriven_samples"] = self._overdriven_samples
        return counters

    def process(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take a block `[T]`, return what is ready, perhaps nothing."""
        if self.idle:
            return samples
        samples, replaced = clean_samples(samples)
        self._nonfinite_samples += replaced
        if self._high_pass is not None:
            samples = self._high_pass.process(samples)
        if self._gain_db != 0.0:
            samples = samples * self._gain
        if self._auto_gain is not None:
            samples = self._auto_gain.process(samples)
        if self._limiter is not None:
            return self._limiter.process(samples)
        return self._cut_off(samples) if self._gain_db > 0.0 else samples

    def flush(self) -> NDArray[np.float32]:
        """What is held back: at the end, or before a gap. What comes next does not follow what came before."""
        if self._high_pass is not None:
            self._high_pass.clear()
        if self._auto_gain is not None:
            self._auto_gain.clear()
        return np.zeros(0, dtype=np.float32) if self._limiter is None else self._limiter.flush()

    def _cut_off(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        over = int(np.count_nonzero(np.abs(samples) > 1.0))
        if not over:
            return samples
        if not self._overdriven_samples:
            logger.warning(
                "the gain of %+g dB cuts off the loudest peaks; lower conditioning.gain_db or set conditioning.limiter",
                self._gain_db,
            )
        self._overdriven_samples += over
        return np.clip(samples, -1.0, 1.0)
