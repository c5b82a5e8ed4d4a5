"""Silence or a test tone through a sink, as the player would play it: what `edge-player check` hears."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge_player.errors import SinkError
from edge_player.render.ring import PcmRing
from edge_player.sinks import AudioSink
from edge_player.sinks.card_watch import SETTLED_CALLBACKS

TONE_S = 1.0
TONE_HZ = 440.0
TONE_AMPLITUDE = 0.25
"""-12 dBFS: clearly heard, and nobody jumps."""

_FADE_S = 0.02
_PATIENCE_S = 3.0
_LOOK_S = 0.01


def make_tone(sample_rate: int, *, amplitude: float = TONE_AMPLITUDE) -> NDArray[np.float32]:
    """One second of 440 Hz, float32 `[samples]`, faded in and out so that it does not click."""
    times = np.arange(round(TONE_S * sample_rate)) / sample_rate
    fade = np.minimum(1.0, np.minimum(times, TONE_S - times) / _FADE_S)
    return (amplitude * fade * np.sin(2 * np.pi * TONE_HZ * times)).astype(np.float32)


def play_through(
    sink: AudioSink,
    samples: NDArray[np.float32],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Play `samples` on a fresh sink at its own rate and stop it; returns the sink's latency in seconds.

    Raises SinkError, also where the sink takes no sound or is lost meanwhile.
    """
    ring = PcmRing(len(samples))
    try:
        sink.start(ring)
        deadline = clock() + len(samples) / sink.sample_rate + _PATIENCE_S
        # A Bluetooth loudspeaker takes a second to begin; what is given to it before would go by unheard.
        while sink.counters.get("sink_callbacks", SETTLED_CALLBACKS) < SETTLED_CALLBACKS and clock() < deadline:
            sleep(_LOOK_S)
        ring.write(samples)
        while ring.level:
            if sink.failure is not None:
                raise SinkError(f"{sink.description} failed: {sink.failure}")
            stuck = sink.counters.get("sink_lost") or sink.counters.get("sink_unheard_ms")
            if clock() >= deadline or stuck:
                raise SinkError(f"{sink.description} was opened and takes no sound: unplug it and plug it in again")
            sleep(_LOOK_S)
        latency_s = sink.latency_s
        sleep(min(1.0, latency_s))  # what the card has taken is still to be heard
        return latency_s
    finally:
        sink.stop()
