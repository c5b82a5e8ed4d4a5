"""A link that becomes worse, and better again, and a sender whose clock is another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from codec.spec import CodecSpec
from edge_player.buffer.capture_clock import CaptureClock
from edge_player.buffer.jitter_buffer import JitterConfig
from edge_player.buffer.timeline import EpochPlan, Timeline
from edge_player.intake.tiers import TierMap
from edge_player.render.playout import Playout
from edge_player.render.ring import PcmRing
from protocol.packet import TokenPacket

MakePacket = Callable[..., TokenPacket]
FRAME_S, RATE, EPOCH, DELAY_S, BLOCK_S = 0.08, 16_000, 0x1234_5678_9ABC_DE05, 0.32, 0.01


@dataclass
class Voice:
    """Decodes every frame to the same 100 Hz, in phase: it may be stretched anywhere."""

    spec: CodecSpec

    def decode(self, codes: Any) -> Any:
        count = codes.shape[1] * self.spec.frame_size
        return (0.2 * np.sin(2 * np.pi * 100 * np.arange(count) / RATE)).astype(np.float32)

    def reset(self) -> None: ...


class Listener:
    """A player with `delay(frame)` seconds between a frame's capture and its arrival, a sink of 10 ms blocks."""

    def __init__(self, decoder: Any, make_packet: MakePacket, *, adapt: bool = True, sender_s: float = FRAME_S) -> None:
        self.now, self.make_packet, self.sender_s = 0.0, make_packet, sender_s
        self.timeline = Timeline(on_switch=lambda plan: self.playout.switch(plan))
        self.ring = PcmRing(Playout.ring_capacity(frame_duration_s=FRAME_S, sink_rate=RATE, lead_s=0.03))
        self.playout = Playout(
            self.timeline, decoder, self.ring, sink_rate=RATE, lead_s=0.03, adapt=adapt, utc=lambda: self.now
        )
        self.timeline.open(
            EpochPlan(
                epoch=EPOCH,
                first_frame=0,
                tiers=TierMap.single(4),
                jitter=JitterConfig(FRAME_S, DELAY_S),
                capture=CaptureClock(started_at_ms=0, frame_duration_s=FRAME_S),
            )
        )
        self.coming: list[tuple[float, int]] = []
        self.sent = 0
        self.heard: list[Any] = []

    def run(self, seconds: float, delay: Callable[[int], float] = lambda frame: 0.0) -> None:
        end = self.now + seconds
        while self.now < end:
            while self.sent * self.sender_s <= self.now:
                self.coming.append((self.sent * self.sender_s + delay(self.sent), self.sent))
                self.sent += 1
            for arrival in sorted(self.coming):
                if arrival[0] > self.now:
                    break
                self.coming.remove(arrival)
                self.timeline.insert(self.make_packet(arrival[1]), arrival[0])
            self.playout.step(self.now)
            block = np.zeros(round(BLOCK_S * RATE), dtype=np.float32)
            self.ring.fill(block)
            self.heard.append(block)
            self.now += BLOCK_S

    @property
    def lost(self) -> int:
        totals = self.timeline.totals()
        return totals.concealed + totals.comfort

    @property
    def figures(self) -> dict[str, Any]:
        return dict(self.playout.depth_stats())


@pytest.fixture
def voice(decoder: Any) -> Voice:
    return Voice(decoder.spec)


def every_third_late(frame: int) -> float:
    return 0.45 if frame % 3 == 0 else 0.0


def test_a_link_that_becomes_worse_costs_a_few_frames_and_then_none(voice: Voice, make_packet: MakePacket) -> None:
    fixed, adaptive = (Listener(voice, make_packet, adapt=adapt) for adapt in (False, True))
    for listener in (fixed, adaptive):
        listener.run(6.0)
        assert listener.lost == 0
        listener.run(20.0, every_third_late)
    assert fixed.lost > 60
    assert adaptive.lost < 25
    assert adaptive.figures["playout_target_ms"] == pytest.approx(450 + 50, abs=60)
    before = adaptive.lost
    adaptive.run(20.0, every_third_late)
    assert adaptive.lost == before
    assert adaptive.timeline.stats().relocks == 0


def test_when_the_link_is_calm_again_the_delay_falls_back(voice: Voice, make_packet: MakePacket) -> None:
    listener = Listener(voice, make_packet)
    listener.run(6.0)
    usual = listener.figures["buffer_ms"]
    listener.run(15.0, every_third_late)
    listener.run(45.0)
    assert listener.figures["playout_target_ms"] == round(1000 * DELAY_S)
    assert listener.figures["buffer_ms"] == pytest.approx(usual, abs=140)
    assert listener.figures["periods_removed"] > 0
    lost = listener.lost
    listener.run(10.0)
    assert listener.lost == lost
    assert listener.ring.underruns == 0


@pytest.mark.parametrize("ppm", [2000.0, -2000.0])
def test_a_sender_with_another_clock_is_followed_for_ever(voice: Voice, make_packet: MakePacket, ppm: float) -> None:
    """Ten times the worst crystal, for a tenth of the time."""
    listener = Listener(voice, make_packet, sender_s=FRAME_S * (1 + ppm * 1e-6))
    listener.run(300.0)
    assert listener.lost == 0
    assert listener.timeline.totals().skipped == 0
    changed = listener.figures["periods_inserted" if ppm > 0 else "periods_removed"]
    assert changed * 0.0075 > 300.0 * 2000e-6 / 4
    assert listener.ring.underruns == 0


def test_a_link_that_keeps_its_word_leaves_every_sample_alone(voice: Voice, make_packet: MakePacket) -> None:
    rng = np.random.default_rng(1)
    listener = Listener(voice, make_packet)
    listener.run(60.0, lambda frame: float(rng.uniform(0.0, 0.15)))
    assert listener.lost == 0
    assert (listener.figures["periods_inserted"], listener.figures["periods_removed"]) == (0, 0)
    assert listener.figures["arrival_jitter_ms"] == pytest.approx(150, abs=40)


def test_nothing_clicks_where_the_sound_is_stretched(voice: Voice, make_packet: MakePacket) -> None:
    listener = Listener(voice, make_packet)
    listener.run(6.0)
    steady = np.concatenate(listener.heard[300:600])
    listener.run(15.0, lambda frame: 0.28 if frame % 3 == 0 else 0.0)  # nearly too late: stretched, and nothing is lost
    listener.run(30.0)
    figures = listener.figures
    assert listener.lost == 0
    assert figures["periods_inserted"] > 0
    sound = np.concatenate(listener.heard[600:])
    assert np.abs(np.diff(sound)).max() <= 1.1 * np.abs(np.diff(steady)).max()
