"""From frames due to samples in the ring. Driven by the ring: the sink empties it, this fills it just in time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from codec.audio.resample import Resampler
from edge_player.buffer.jitter_buffer import Lost, Ready, Silent, Wait
from edge_player.buffer.timeline import EpochPlan, EpochTrack, Timeline
from edge_player.render.adaptation import Adaptation
from edge_player.render.comfort_noise import ComfortNoise
from edge_player.render.concealment import Concealer
from edge_player.render.decoder import FrameDecoder
from edge_player.render.ring import PcmRing
from edge_player.render.ring_levels import RingLevels
from edge_player.render.step_size import StepSize
from edge_player.render.volume import Volume
from protocol.service import Percentiles, Stats

logger = logging.getLogger(__name__)

RING_FRAMES = 4
"""Room for this many frames beyond the lead."""

PRIME_FRAMES = 4
"""Frames decoded unheard where a decoder starts in mid-stream: 320 ms, in which its cold start dies away.

Only true frames help (benchmarks/cold_start.py). The first 200 ms, against the same frames of a decoder that was there
from the beginning: 6 dB cold, 5 dB after the first frame was decoded four times over, 5 dB after silence, 31 dB after
four true frames. That is the packaged nano; qwen3-12hz with random weights, a chaotic network, has 1, 1, -1 and 5 dB.
"""

STOPPED_S = 1.0
"""So long after the ring ran dry without a step, the process was stopped, or this machine stood still: that time is
gone, and what was due in it is skipped rather than played late from then on. What the decoder takes comes on top: a
slow one is no stop, and would never be heard if each of its steps began afresh."""

STEPS_AT_ONCE = 4
"""So many decoder steps, then messages are looked at again: a decoder that is too slow must not keep them waiting."""

TURN_S = 0.5
"""And after so much work."""


@dataclass(slots=True)
class PlayoutStats:
    """latency_ms: capture of a frame's first sample until that sample leaves the sink, codec delay included: the age of
    what is played. last_latency_ms: of the last frame; 0 before it.

    decoder_resets: cold starts of the decoder. frames_primed: frames that came and were not heard, since they brought
    the decoder into the stream; `comfort` of the ledger holds them too. rate_changes: how often the sink went on at
    another sample rate. first_sound_at: the player's clock, seconds; None before it.
    """

    latency_ms: Percentiles = field(default_factory=Percentiles)
    last_latency_ms: float = 0.0
    decoder_resets: int = 0
    frames_primed: int = 0
    rate_changes: int = 0
    first_sound_at: float | None = None


class Playout:
    """Pulls frames, decodes or conceals, fills the ring. Owned by the player worker.

    Two levels of the ring, in seconds. At the lower one a frame is due: it is there or it is lost, and the sound left
    in the ring lasts while it is decoded. Between the two, frames that are here already are decoded early, several at
    once; nothing is called lost for it, and nothing is heard later.

    A decoder that is too slow takes longer steps by itself where they are less work (StepSize), of frames that are
    here. One that is too slow all the same falls behind until the jitter buffer is overfull, which skips to the live
    edge.
    """

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
        step_s: Callable[[int], float] = lambda frames: 0.0,
        frames_per_step: int = 1,
        longest_step: int = 1,
        volume: Volume | None = None,
        adapt: bool = False,
        clock: Callable[[], float] = time.perf_counter,
        utc: Callable[[], float] = time.time,
    ) -> None:
        """`sink_rate` in Hz. `lead_s`: the ring is kept at least so full. `utc` in seconds, for latency only.

        `step_s(frames)`: seconds that the decoder takes for so many frames at once, 1 or `frames_per_step`.
        `longest_step`: the most frames at once that a decoder which is too slow may take by itself; the ring has room
        for them. `clock`: seconds, for what a step costs. `adapt`: change the playout delay with the link, by making
        frames longer or shorter; without it every sample is the decoder's.

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
        self._steps = StepSize(
            frames=frames_per_step,
            longest=max(frames_per_step, longest_step),
            frame_duration_s=spec.frame_duration_s,
        )
        self._clock = clock
        self._work_s = 0.0
        single_s, given_s = step_s(1), step_s(frames_per_step)
        self._levels = RingLevels(
            self._steps,
            lead_s=lead_s,
            single_s=single_s,
            given_s=given_s,
            frame_duration_s=spec.frame_duration_s,
        )
        longer_s = longest_step * spec.frame_duration_s if longest_step > frames_per_step else 0.0
        self._ring_lead_s = lead_s + max(single_s, given_s, longer_s)
        self._longest_step = max(frames_per_step, longest_step)
        self.adaptation = Adaptation(sample_rate=spec.sample_rate, lead_s=self._levels.lower_s) if adapt else None
        self._unheard = 0
        self._stopped_s = STOPPED_S + STEPS_AT_ONCE * self._levels.longest_step_s
        self._lasts_until: float | None = None  # the ring, as of the last step; None while nothing plays
        self._sink_latency_s = sink_latency_s
        self._utc = utc
        self._codec_delay_s = spec.delay_samples / spec.sample_rate
        self._frame_size = spec.frame_size
        self._frame_duration_s = spec.frame_duration_s
        self._resampler = Resampler(spec.sample_rate, sink_rate)
        self._concealer = Concealer(frame_size=spec.frame_size, sample_rate=spec.sample_rate)
        self._noise = ComfortNoise()
        self._silence: NDArray[np.float32] = np.zeros(spec.frame_size, dtype=np.float32)

    @staticmethod
    def ring_capacity(*, frame_duration_s: float, sink_rate: int, lead_s: float, frames_per_step: int = 1) -> int:
        """Samples the ring of such a play-out needs; `lead_s` with what the longest step takes."""
        return round((lead_s + (RING_FRAMES + frames_per_step - 1) * frame_duration_s) * sink_rate)

    @property
    def frames_per_step(self) -> int:
        """How many frames are decoded at once now, where they are here."""
        return self._steps.frames

    @property
    def longer_steps(self) -> int:
        """How often the decoder was so slow that a longer step was tried."""
        return self._steps.longer

    def depth_stats(self) -> Stats:
        """How much waits here and how much ought to, ms; what the arrivals say; what was done about it."""
        playing, adaptation = self._timeline.current, self.adaptation
        stored = 0 if playing is None else playing.buffer.stored_frames
        plan_s = 0.0 if playing is None else playing.plan.jitter.playout_delay_s
        return {
            "buffer_ms": round(1000 * (stored * self._frame_duration_s + self._ring.level / self._sink_rate)),
            "playout_target_ms": round(1000 * (plan_s if adaptation is None else max(plan_s, adaptation.target_s))),
            "arrival_jitter_ms": 0 if adaptation is None else round(1000 * adaptation.jitter_s),
            "periods_inserted": 0 if adaptation is None else adaptation.stats.periods_inserted,
            "periods_removed": 0 if adaptation is None else adaptation.stats.periods_removed,
        }

    @property
    def ring(self) -> PcmRing:
        """The one that is filled now."""
        return self._ring

    def switch(self, plan: EpochPlan) -> None:
        """Another epoch starts to play: nothing of the old one is held over. Given to the Timeline."""
        self._concealer.reset()
        self._noise.reset()
        self._unheard = 0

    def step(self, now: float) -> float | None:
        """Fill the ring up to its lead. Returns when to come again (the clock of `now`), None: when told so."""
        if self._lasts_until is not None and now - self._lasts_until >= self._stopped_s:
            self._timeline.pass_over(now - self._lasts_until)
        wake_at = self._fill(now)
        self._lasts_until = now + self._ring.level / self._sink_rate if self._ring.active else None
        return wake_at

    def _fill(self, now: float) -> float | None:
        if self._sink_rate_now is not None and (rate := self._sink_rate_now()) != self._sink_rate:
            self._change_rate(rate)
        self._work_s = 0.0
        if self.adaptation is not None and self._ring.active and (playing := self._timeline.current) is not None:
            # A frame that is overdue is late by our own fault, not its packet's.
            until_next_s = max(0.0, self._ring.level / self._sink_rate - self._levels.lower_s)
            self.adaptation.listen(playing, until_next_s=until_next_s, now=now)
        for _ in range(STEPS_AT_ONCE):
            if self._work_s > TURN_S:
                break
            waiting_s = self._ring.level / self._sink_rate
            if waiting_s > self._levels.lower_s:
                early_s = self._levels.upper_s
                if waiting_s > early_s or not self._play_early(waiting_s, now):
                    return now + waiting_s - (self._levels.lower_s if waiting_s <= early_s else early_s)
                continue
            item = self._timeline.pull(now)
            if isinstance(item, Wait):
                self._pause()
                return item.until
            track = self._timeline.current
            assert track is not None  # it has just given out a frame
            if isinstance(item, Lost):
                self._conceal(track)
            elif isinstance(item, Silent):
                self._fill_pause(item, track)
            else:
                self._play([item, *self._pull_more(waiting_s)], track, now)
        return now

    def _pull_more(self, waiting_s: float) -> list[Ready]:
        """Frames to decode together with one that is due."""
        more = self._steps.frames - 1
        if self._steps.lengthened:  # an underrun is to be expected anyway, and shorter steps make it worse
            return self._timeline.pull_ahead(self._timeline.count_ahead(more))
        if self._ring.active and not self._levels.bears_several(waiting_s):
            return []
        return self._timeline.pull_ahead(more)

    def _play_early(self, waiting_s: float, now: float) -> bool:
        """Decode what is here before it is due: several frames at once, or one until the ring bears several. A decoder
        that is too slow for single frames is given none."""
        several = self._steps.lengthened or self._levels.bears_several(waiting_s)
        items = self._timeline.pull_ahead(self._steps.frames if several else 1)
        track = self._timeline.current
        if items and track is not None:
            self._play(items, track, now)
        return bool(items)

    def _change_rate(self, rate: int) -> None:
        """The card came back at another rate. What waits is of the old one; as much silence takes its place, so that
        the frames that follow are heard when they are due."""
        waiting_s = (self._ring.level + self._resampler.delay_samples) / self._sink_rate
        self.stats.rate_changes += 1
        self._sink_rate = rate
        self._resampler = Resampler(self._resampler.in_rate, rate)
        self._ring = self._ring.successor(
            self.ring_capacity(
                frame_duration_s=self._frame_duration_s,
                sink_rate=rate,
                lead_s=self._ring_lead_s,
                frames_per_step=self._longest_step,
            )
        )
        self._ring.write(np.zeros(min(self._ring.free, round(waiting_s * rate)), dtype=np.float32))
        self._on_new_ring(self._ring, rate)

    def _pause(self) -> None:
        """Nothing is due: what the resampler still holds goes out, and an empty ring is no underrun."""
        if self._ring.active:
            self._ring.write(self._volume.apply(self._resampler.flush(), self._sink_rate))
            self._ring.active = False

    def _play(self, items: Sequence[Ready], track: EpochTrack, now: float) -> None:
        """Neighbouring frames, decoded in one step."""
        if items[0].fresh:
            self._start_cold(items[0], track.plan)
        samples = self._decode(np.stack([item.codes for item in items], axis=1))
        for item, frame in zip(items, samples.reshape(len(items), -1), strict=True):
            if self._unheard:
                self._pass_unheard(item, track)
                continue
            self._noise.note(item.frame_index, item.codes, frame)
            gain = self._concealer.resume(item.codes)
            self._measure(item, track.plan)
            heard = frame if gain is None else frame * gain
            self._write(heard if self.adaptation is None else self.adaptation.change(heard))
            track.ledger.count_played()
            if self.stats.first_sound_at is None:
                self.stats.first_sound_at = now

    def _decode(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        begun_at = self._clock()
        samples = self._decoder.decode(codes)
        seconds = self._clock() - begun_at
        self._work_s += seconds
        longer = self._steps.longer
        self._steps.add(codes.shape[1], seconds)
        if longer == 0 < self._steps.longer:  # once; the decoder's own pace says how slow it is
            logger.warning("the decoder is too slow; trying longer steps, of frames that are here")
        return samples

    def _pass_unheard(self, item: Ready, track: EpochTrack) -> None:
        self._unheard -= 1
        self.stats.frames_primed += 1
        self._concealer.remember(item.codes)
        self._write(self._silence)
        track.ledger.count_unheard()

    def _start_cold(self, item: Ready, plan: EpochPlan) -> None:
        self._reset_decoder()
        if item.frame_index == plan.first_frame:
            # The encoder started here too: decoding from nothing is exact, and nothing may be faded.
            self._concealer.start_at_full_level()
            self._unheard = 0
        else:
            self._unheard = PRIME_FRAMES

    def _reset_decoder(self) -> None:
        self.stats.decoder_resets += 1
        self._decoder.reset()
        self._concealer.reset()

    def _fill_pause(self, item: Silent, track: EpochTrack) -> None:
        """Nobody speaks: the room as it was, through the decoder as if it had come; silence where it is not known."""
        if item.fresh:
            self._reset_decoder()
            self._unheard = PRIME_FRAMES
        codes = self._noise.next(item)
        if codes is None:
            self._write(self._stand_in())
        else:
            samples = self._decode(codes[:, np.newaxis])
            if self._unheard:
                self._unheard -= 1
                self._concealer.remember(codes)
                heard = self._silence
            else:
                gain = self._concealer.resume(codes)
                heard = samples if gain is None else samples * gain
            self._write(heard if self.adaptation is None else self.adaptation.change(heard))
        track.ledger.count_silent()

    def _conceal(self, track: EpochTrack) -> None:
        samples = self._stand_in()
        self._write(samples)
        track.ledger.count_lost(audible=samples is not self._silence)

    def _stand_in(self) -> NDArray[np.float32]:
        """What the concealer makes of a frame that is not there; `_silence` itself where nothing of it is heard."""
        concealed = self._concealer.conceal()
        samples = self._silence
        if concealed.codes is not None:
            samples = self._decode(concealed.codes[:, np.newaxis])
        if concealed.gain is None or not concealed.audible or self._unheard:
            return self._silence
        return samples * concealed.gain

    def _measure(self, item: Ready, plan: EpochPlan) -> None:
        waiting = self._ring.level + self._resampler.delay_samples
        heard_at = self._utc() + waiting / self._sink_rate + self._sink_latency_s() + self._codec_delay_s
        self.stats.last_latency_ms = heard_at * 1000.0 - plan.capture.captured_at_ms(item.frame_index)
        self.stats.latency_ms.add(self.stats.last_latency_ms)

    def _write(self, samples: NDArray[np.float32]) -> None:
        converted = self._volume.apply(self._resampler.process(samples), self._sink_rate)
        written = self._ring.write(converted)
        assert written == len(converted), "the ring is made for one frame more than the lead"
        self._ring.active = True
