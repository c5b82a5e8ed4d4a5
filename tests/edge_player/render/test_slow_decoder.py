"""A decoder that takes longer than the sound lasts: on one clock, which its work moves on too."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.spec import CodecSpec
from edge_player.buffer.capture_clock import CaptureClock
from edge_player.buffer.jitter_buffer import JitterConfig
from edge_player.buffer.timeline import EpochPlan, Timeline
from edge_player.intake.tiers import TierMap
from edge_player.render.playout import Playout
from edge_player.render.ring import PcmRing
from protocol.limits import MAX_FRAMES_PER_PACKET
from protocol.packet import TokenPacket

FRAME_S, FRAME, RATE, EPOCH = 0.08, 1280, 16000, 0x1234_5678_9ABC_DE05
TICK_S = 0.01


class CostlyDecoder:
    """Silence that takes `cost_s(frames)` to make, on the clock of the test."""

    def __init__(self, spec: CodecSpec, clock: Any, cost_s: Callable[[int], float]) -> None:
        self.spec = spec
        self.cost_s = cost_s
        self.steps: list[int] = []
        self._clock = clock

    def decode(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        self.steps.append(codes.shape[1])
        self._clock.advance(self.cost_s(codes.shape[1]))
        return np.zeros(codes.shape[1] * FRAME, dtype=np.float32)

    def reset(self) -> None:
        pass


class Live:
    """A stream that never stops, a player that does what it can, and a sink that takes its samples whatever comes."""

    def __init__(
        self,
        spec: CodecSpec,
        clock: Any,
        make_packet: Callable[..., TokenPacket],
        cost_s: Callable[[int], float],
        *,
        delay_s: float = 0.16,
        packet_frames: int = 1,
    ) -> None:
        self.clock = clock
        self.decoder = CostlyDecoder(spec, clock, cost_s)
        self.timeline = Timeline(on_switch=lambda plan: self.playout.switch(plan))
        self.config = JitterConfig(FRAME_S, delay_s, frames_per_packet=packet_frames)
        capacity = Playout.ring_capacity(
            frame_duration_s=FRAME_S,
            sink_rate=RATE,
            lead_s=0.03 + max(cost_s(1), MAX_FRAMES_PER_PACKET * FRAME_S),
            frames_per_step=MAX_FRAMES_PER_PACKET,
        )
        self.ring = PcmRing(capacity)
        self.playout = Playout(
            self.timeline,
            self.decoder,
            self.ring,
            sink_rate=RATE,
            lead_s=0.03,
            step_s=lambda frames: min(cost_s(frames), FRAME_S),
            longest_step=MAX_FRAMES_PER_PACKET,
            clock=clock,
            utc=clock,
        )
        self.timeline.open(
            EpochPlan(EPOCH, 0, TierMap.single(4), self.config, CaptureClock(started_at_ms=0, frame_duration_s=FRAME_S))
        )
        self.behind_s: list[float] = []
        self._make_packet = make_packet
        self._packet_frames = packet_frames
        self._arrived = 0
        self._began_at = clock.now
        self._heard_at = clock.now

    def run(self, seconds: float) -> None:
        end = self.clock.now + seconds
        while self.clock.now < end:
            self._receive()
            self.playout.step(self.clock.now)
            if self.clock.now - self._heard_at < TICK_S:
                self.clock.advance(TICK_S)
            samples = round((self.clock.now - self._heard_at) * RATE)
            self._heard_at += samples / RATE
            self.ring.fill(np.zeros(samples, dtype=np.float32))

    def _receive(self) -> None:
        while self._began_at + (self._arrived + self._packet_frames) * FRAME_S <= self.clock.now:
            self.timeline.insert(self._make_packet(self._arrived, self._packet_frames), self.clock.now)
            self._arrived += self._packet_frames
        track = self.timeline.current
        assert track is not None
        heard = track.buffer.next_frame - self.ring.level / FRAME
        self.behind_s.append(self._arrived * FRAME_S - heard * FRAME_S)

    @property
    def bound_s(self) -> float:
        """The most that the newest frame may be ahead of the ear: what the buffer holds, the packet that came after it
        was looked at, and what comes during one step."""
        step_s = max(self.decoder.cost_s(frames) for frames in set(self.decoder.steps))
        return (self.config.capacity_frames + self._packet_frames) * FRAME_S + step_s + 0.1

    def assert_every_frame_is_accounted_for(self) -> None:
        totals = self.timeline.totals()
        assert totals.due == totals.played + totals.concealed + totals.skipped + totals.comfort


@pytest.fixture
def live(spec: CodecSpec, clock: Any, make_packet: Callable[..., TokenPacket]) -> Callable[..., Live]:
    def build(cost_s: Callable[[int], float], **options: Any) -> Live:
        return Live(spec, clock, make_packet, cost_s, **options)

    return build


def fixed_and_per_frame(fixed_s: float, frame_s: float) -> Callable[[int], float]:
    """What a step costs whose graph has a fixed part, as every ONNX graph has."""
    return lambda frames: fixed_s + frames * frame_s


@pytest.mark.parametrize(("delay_s", "packet_frames"), [(0.16, 1), (1.2, 5), (3.0, 25)])
def test_a_decoder_that_keeps_up_in_longer_steps_takes_them_and_then_nothing_is_skipped(
    live: Callable[..., Live], delay_s: float, packet_frames: int, caplog: pytest.LogCaptureFixture
) -> None:
    player = live(fixed_and_per_frame(0.08, 0.02), delay_s=delay_s, packet_frames=packet_frames)
    player.run(40.0)
    assert player.playout.longer_steps >= 1
    assert 2 <= player.playout.frames_per_step <= 8
    skipped, missing = player.timeline.totals().skipped, player.ring.underrun_samples
    player.decoder.steps.clear()
    player.run(60.0)
    assert np.mean(player.decoder.steps) > 0.95 * player.playout.frames_per_step, "short steps are not mixed in"
    assert player.timeline.totals().skipped == skipped
    assert player.ring.underrun_samples == missing
    assert max(player.behind_s) < player.bound_s
    player.assert_every_frame_is_accounted_for()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_decoder_that_keeps_up_takes_no_longer_steps(live: Callable[..., Live]) -> None:
    player = live(fixed_and_per_frame(0.05, 0.01))
    player.run(60.0)
    assert set(player.decoder.steps) == {1}
    assert player.playout.longer_steps == 0
    assert player.timeline.totals().skipped == 0


def test_a_decoder_whose_longer_steps_are_no_cheaper_goes_back_to_short_ones(live: Callable[..., Live]) -> None:
    player = live(lambda frames: 0.1 * frames)
    player.run(120.0)
    assert player.playout.longer_steps == 1
    assert player.playout.frames_per_step == 1


@pytest.mark.parametrize("load", [1.2, 2.0, 5.0])
@pytest.mark.parametrize(("delay_s", "packet_frames"), [(0.16, 1), (1.2, 5)])
def test_a_decoder_that_is_too_slow_for_any_step_skips_to_the_live_edge_and_never_lags(
    live: Callable[..., Live], load: float, delay_s: float, packet_frames: int
) -> None:
    player = live(lambda frames: load * FRAME_S * frames, delay_s=delay_s, packet_frames=packet_frames)
    player.run(60.0)
    player.behind_s.clear()
    player.run(240.0)
    assert max(player.behind_s) < player.bound_s
    totals = player.timeline.totals()
    assert totals.skipped * FRAME_S > 0.8 * 300 * (1 - 1 / load)
    assert totals.played > 0
    player.assert_every_frame_is_accounted_for()


def test_no_step_keeps_messages_waiting_for_long(live: Callable[..., Live], clock: Any) -> None:
    player = live(fixed_and_per_frame(0.5, 0.09), delay_s=3.0, packet_frames=25)
    player.run(60.0)
    longest = max(player.decoder.steps)
    assert longest > 1
    assert player.decoder.cost_s(longest) <= 3.0
    turns_s = []
    for _ in range(20):
        player.run(0.01)  # one turn, whatever it takes
        before = clock.now
        player.playout.step(before)
        turns_s.append(clock.now - before)
    assert max(turns_s) <= player.decoder.cost_s(longest) + 1e-6
