"""Whether somebody speaks in a frame: WebRTC's voice activity detector, on what goes into the encoder."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from codec.audio.resample import Resampler
from protocol.service import ConfigError

__all__ = ["VoiceActivity"]

_RATES: Final = (16000, 8000, 32000, 48000)
"""Hz; what the detector takes. The first is what other rates are brought to."""
_PIECE_S: Final = 0.02
"""The detector judges 10, 20 or 30 ms. Of these 20 ms cry wolf least in the noise of a room, and miss nothing."""
_MODE: Final = 2
"""0 takes everything for speech, 3 cuts into it. On the bundled clips 2 misses no frame within 25 dB of the voice, 3
does; 0 and 1 take pink noise at -40 dBFS for speech now and then, and 2 does not."""


class VoiceActivity:
    """One stream's detector; it adapts to the noise of the room. For one thread at a time.

    A frame in which one piece of 20 ms sounds like speech is speech: a syllable that begins at its very end counts.
    Raises ConfigError (78) where the package that does it is not installed.
    """

    def __init__(self, sample_rate: int) -> None:
        """sample_rate: of the frames, Hz."""
        try:
            import webrtcvad  # a small C extension, for those alone who send nothing in pauses
        except ImportError as error:
            raise ConfigError(
                "stream.silence needs the package webrtcvad-wheels, which is not installed: pip install "
                "'voxwire[silence]', or leave silence off"
            ) from error
        self._rate = sample_rate if sample_rate in _RATES else _RATES[0]
        self._resampler = Resampler(sample_rate, self._rate)
        self._piece = round(_PIECE_S * self._rate)
        self._pending: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._detector = webrtcvad.Vad(_MODE)

    def speaks(self, frame: NDArray[np.float32]) -> bool:
        """Whether there is speech in `frame` [T] or in what was left of the one before. NaN and infinities are none."""
        samples = np.concatenate([self._pending, self._resampler.process(frame)])
        whole = len(samples) // self._piece * self._piece
        self._pending = samples[whole:]
        clean = np.nan_to_num(samples[:whole], nan=0.0, posinf=0.0, neginf=0.0)
        pcm = (np.clip(clean, -1.0, 1.0) * 32767.0).astype("<i2").reshape(-1, self._piece)
        # Every piece is judged, the first hit or not: the detector learns the noise from all of them.
        return sum(bool(self._detector.is_speech(piece.tobytes(), self._rate)) for piece in pcm) > 0
