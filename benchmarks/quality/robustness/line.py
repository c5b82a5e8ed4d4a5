"""Sound through a codec and back, as a listener gets it: from the first sample that a player plays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from codec import Decoder, Encoder

RATE_HZ = 16000
"""Of all samples here, in and out."""

Samples = NDArray[np.float32]

Line = Callable[[Samples], Samples]
"""Sends [T] through a codec in a new stream and gives [delay + T]: its delay is heard first, and then what was sent."""


def codec_line(encoder: Encoder, decoder: Decoder, *, layers: int | None = None) -> Line:
    """The line of a codec, by its first `layers` layers. Raises ValueError for layers that it has not, or another rate.

    The sound is as the decoder gives it: what it clips is clipped, and nothing else.
    """
    spec = encoder.spec
    if layers is not None and not 1 <= layers <= spec.num_layers:
        raise ValueError(f"{spec.name} has 1 to {spec.num_layers} layers, not {layers}")
    if spec.sample_rate != RATE_HZ:
        raise ValueError(f"{spec.name} is for {spec.sample_rate} Hz, not {RATE_HZ}")

    def send(samples: Samples) -> Samples:
        heard = spec.delay_samples + samples.size
        frames = -(-heard // spec.frame_size)
        padded = np.pad(samples, (0, frames * spec.frame_size - samples.size))
        with encoder.session() as encoding, decoder.session() as decoding:
            rebuilt: Samples = decoding.decode(encoding.encode(padded)[:, :layers])[0, :heard]
        return rebuilt

    return send


def lined_up(heard: Samples, sent: Samples) -> Samples:
    """What was heard, without the delay: as long as what was sent."""
    return heard[heard.size - sent.size :]
