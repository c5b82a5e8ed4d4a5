"""From frames due to samples in the ring. Driven by the ring: the sink empties it, this fills it just in time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from codec.audio.resample import Resampler
from edge_player.buffer.jitter_buffer import Lost, Ready, Wait
from edge_player.buffer.timeline import EpochPlan, EpochTrack, Timeline
from edge_player.render.concealment import Concealer
from edge_player.render.decoder import FrameDecoder, prime
from edge_player.render.ring import PcmRing
from edge_player.render.volume import Volume
from protocol.service import Percentiles

RING_FRAMES = 4
"""Room for this many frames beyond the lead."""


@dataclass(slots=True)
class PlayoutStats:
    """latency_ms: capture of a frame's first sample until that sample leaves the sink, codec delay included.

    decoder_resets: cold starts of the decoder. rate_changes: how often the sink went on at another sample rate.
    first_sound_at: the player's clock, seconds; None before it.
    """

    latency_ms: Percentiles = field(default_factory=Percentiles)
    decoder_resets: int = 0
    rate_changes: int = 0
    first_sound_at: float | None = None


class Playout:
    """Pulls frames, decodes or conceals, fills the ring. Owned by the player worker."""

    def __init__(
        self,
        timeline: Timeline,
        decoder: FrameDecoder,
        ring: PcmRing,
        *,
        sink_rate: int,
        lead_s: float,
        sink_latency_s: Callable[[], float] = lambda: 0.0,
        sink_rate_now: Callable[[], int] | None = None,
        on_new_ring: Callable[[PcmRing, int], None] = lambda ring, rate: None,
        volume: Volume | None = None,
        utc: Callable[[], float] = time.time,
    ) -> None:
        """`sink_rate` in Hz. `lead_s`: the ring is kept at least so full. `utc` in seconds, for latency only.

        `sink_rate_now`: for a sink whose rate may change; `on_new_ring(ring, rate)` then hands it what it is to read.
        """
        spec = decoder.spec
        self.stats = PlayoutStats()
        self._timeline = timeline
        self._decoder = decoder
        self._ring = ring
        self._sink_rate = sink_rate
        self._sink_rate_now = sink_rate_now
        self._on_new_ring = on_new_ring
        self._volume = volume or Volume()
        self._lead_s = lead_s
        self._lead_samples = round(lead_s * sink_rate)
        self._sink_latency_s = sink_latency_s
        self._utc = utc
        self._codec_delay_s = spec.delay_samples / spec.sample_rate
        self._frame_size = spec.frame_size
        self._resampler = Resampler(spec.sample_rate, sink_rate)
        self._concealer = Concealer(frame_size=spec.frame_size, sample_rate=spec.sample_rate)
        self._silence: NDArray[np.float32] = np.zeros(spec.frame_size, dtype=np.float32)

    @staticmethod
    def ring_capacity(*, frame_duration_s: float, sink_rate: int, lead_s: float) -> int:
        """Samples the ring of such a play-out needs."""
        return round((lead_s + RING_FRAMES * frame_duration_s) * sink_rate)

    @property
    def ring(self) -> PcmRing:
        """The one that is filled now."""
        return self._ring

    def switch(self, plan: EpochPlan) -> None:
        """Another epoch starts to play: nothing of the old one is held over. Given to the Timeline."""
        self._concealer.reset()

    def step(self, now: float) -> float | None:
        """Fill the ring up to its lead. Returns when to come again (the clock of `now`), None: when told so."""
        if self._sink_rate_now is not None and (rate := self._sink_rate_now()) != self._sink_rate:
            self._change_rate(rate)
        while self._ring.level <= self._lead_samples:
            item = self._timeline.pull(now)
            if isinstance(item, Wait):
                self._pause()
                return item.until
            track = self._timeline.current
            assert track is not None  # it has just given out a frame
            if isinstance(item, Ready):
                self._play(item, track, now)
            else:
                self._conceal(item, track)
        return now + (self._ring.level - self._lead_samples) / self._sink_rate

    def _change_rate(self, rate: int) -> None:
        """The card came back at another rate. What waits is of the old one; as much silence takes its place, so that
        the frames that follow are heard when they are due."""
        waiting_s = (self._ring.level + self._resampler.delay_samples) / self._sink_rate
        self.stats.rate_changes += 1
        self._sink_rate = rate
        self._lead_samples = round(self._lead_s * rate)
        self._resampler = Resampler(self._resampler.in_rate, rate)
        frame_duration_s = self._frame_size / self._resampler.in_rate
        self._ring = self._ring.successor(
            self.ring_capacity(frame_duration_s=frame_duration_s, sink_rate=rate, lead_s=self._lead_s)
        )
        self._ring.write(np.zeros(min(self._ring.free, round(waiting_s * rate)), dtype=np.float32))
        self._on_new_ring(self._ring, rate)

    def _pause(self) -> None:
        """Nothing is due: what the resampler still holds goes out, and an empty ring is no underrun."""
        if self._ring.active:
            self._ring.write(self._volume.apply(self._resampler.flush(), self._sink_rate))
            self._ring.active = False

    def _play(self, item: Ready, track: EpochTrack, now: float) -> None:
        if item.fresh:
            self._start_cold(item, track.plan)
        samples = self._decoder.decode(item.codes)
        gain = self._concealer.resume(item.codes)
        if gain is not None:
            samples = samples * gain
        self._measure(item, track.plan)
        self._write(samples)
        track.ledger.count_played()
        if self.stats.first_sound_at is None:
            self.stats.first_sound_at = now

    def _start_cold(self, item: Ready, plan: EpochPlan) -> None:
        self.stats.decoder_resets += 1
        self._decoder.reset()
        self._concealer.reset()
        if item.frame_index == plan.first_frame:
            # The encoder started here too: decoding from nothing is exact, and nothing may be faded.
            self._concealer.start_at_full_level()
        else:
            prime(self._decoder, item.codes)

    def _conceal(self, item: Lost, track: EpochTrack) -> None:
        concealed = self._concealer.conceal()
        samples = self._silence if concealed.codes is None else self._decoder.decode(concealed.codes)
        self._write(self._silence if concealed.gain is None else samples * concealed.gain)
        track.ledger.count_lost(audible=concealed.audible)

    def _measure(self, item: Ready, plan: EpochPlan) -> None:
        waiting = self._ring.level + self._resampler.delay_samples
        heard_at = self._utc() + waiting / self._sink_rate + self._sink_latency_s() + self._codec_delay_s
        self.stats.latency_ms.add(heard_at * 1000.0 - plan.capture.captured_at_ms(item.frame_index))

    def _write(self, samples: NDArray[np.float32]) -> None:
        converted = self._volume.apply(self._resampler.process(samples), self._sink_rate)
        written = self._ring.write(converted)
        assert written == len(converted), "the ring is made for one frame more than the lead"
        self._ring.active = True
