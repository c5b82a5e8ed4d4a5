"""Frames due to samples: what is played, what stands in for a loss, what is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.spec import CodecSpec
from edge_player.buffer.capture_clock import CaptureClock
from edge_player.buffer.jitter_buffer import JitterConfig
from edge_player.buffer.timeline import EpochPlan, Timeline
from edge_player.intake.tiers import TierMap
from edge_player.render.playout import PRIME_FRAMES, STEPS_AT_ONCE, Playout
from edge_player.render.ring import PcmRing
from edge_player.render.volume import Volume
from protocol.packet import TokenPacket

MakePacket = Callable[..., TokenPacket]
FRAME_S, FRAME, RATE, EPOCH = 0.08, 1280, 16000, 0x1234_5678_9ABC_DE05


class Bench:
    """A play-out with a sink that takes 10 ms at a time, all on one clock.

    `step_s`: what the play-out is told of its decoder, by frames a step.
    """

    def __init__(
        self,
        decoder: Any,
        *,
        sink_rate: int = RATE,
        delay_s: float = 0.16,
        frames_per_step: int = 1,
        step_s: Callable[[int], float] = lambda frames: 0.0,
    ) -> None:
        self.now = 100.0
        self.sink_rate = sink_rate
        self.delay_s = delay_s
        self.timeline = Timeline(on_switch=lambda plan: self.playout.switch(plan))
        lead_s = 0.03 + max(step_s(1), step_s(frames_per_step))
        capacity = Playout.ring_capacity(
            frame_duration_s=FRAME_S, sink_rate=sink_rate, lead_s=lead_s, frames_per_step=frames_per_step
        )
        self.ring = PcmRing(capacity)
        self.playout = Playout(
            self.timeline,
            decoder,
            self.ring,
            sink_rate=sink_rate,
            lead_s=0.03,
            step_s=step_s,
            frames_per_step=frames_per_step,
            utc=lambda: self.now,
        )
        self.heard: list[NDArray[np.float32]] = []

    def open(self, epoch: int = EPOCH, *, first_frame: int = 0) -> None:
        self.timeline.open(
            EpochPlan(
                epoch=epoch,
                first_frame=first_frame,
                tiers=TierMap.single(4),
                jitter=JitterConfig(FRAME_S, self.delay_s),
                capture=CaptureClock(started_at_ms=99_900, frame_duration_s=FRAME_S),
            )
        )

    def run(self, seconds: float, arrivals: dict[int, TokenPacket] | None = None) -> NDArray[np.float32]:
        """`arrivals` by 10 ms tick from now; returns what the sink got."""
        start = len(self.heard)
        for tick in range(round(seconds * 100)):
            if arrivals and tick in arrivals:
                self.timeline.insert(arrivals[tick], self.now)
            self.playout.step(self.now)
            block = np.zeros(self.sink_rate // 100, dtype=np.float32)
            self.ring.fill(block)
            self.heard.append(block)
            self.now += 0.01
        return np.concatenate(self.heard[start:])


@pytest.fixture
def bench(decoder: Any) -> Bench:
    return Bench(decoder)


def live(make_packet: MakePacket, frames: list[int], **options: int) -> dict[int, TokenPacket]:
    """Packets that come every 80 ms."""
    return {8 * (frame - frames[0]): make_packet(frame, **options) for frame in frames}


def level(code: int) -> float:
    return code / 1000.0


def test_a_clean_stream_is_heard_sample_for_sample(
    bench: Bench, make_packet: MakePacket, code: Callable[[int], int]
) -> None:
    bench.open()
    heard = bench.run(2.0, live(make_packet, list(range(20))))
    first = int(np.flatnonzero(heard)[0])
    expected = np.repeat([level(code(frame)) for frame in range(20)], FRAME)
    np.testing.assert_allclose(heard[first : first + 20 * FRAME], expected, atol=1e-6)
    assert bench.ring.underruns == 0
    assert first == pytest.approx(0.16 * RATE, abs=RATE * 0.011)


def test_the_first_frame_of_an_epoch_is_decoded_exactly_and_not_faded(
    bench: Bench, make_packet: MakePacket, decoder: Any
) -> None:
    bench.open()
    heard = bench.run(0.5, {0: make_packet(0)})
    assert heard[np.flatnonzero(heard)[0]] == pytest.approx(level(100))
    assert decoder.decoded[0] == 100
    assert decoder.resets == 1


def test_a_late_joiner_hears_nothing_until_true_frames_have_primed_the_decoder(
    bench: Bench, make_packet: MakePacket, decoder: Any, code: Callable[[int], int]
) -> None:
    bench.open()
    frames = list(range(500, 510))
    bench.timeline.end(EPOCH, 509)
    heard = bench.run(1.2, live(make_packet, frames))
    assert decoder.decoded == [code(frame) for frame in frames], "it was fed the stream and nothing else"
    start = int(np.flatnonzero(heard)[0])
    assert start == pytest.approx((0.16 + PRIME_FRAMES * FRAME_S) * RATE, abs=RATE * 0.011)
    assert heard[start] < level(code(504)) / 10
    assert heard[start + 200] == pytest.approx(level(code(504)))
    total = bench.timeline.totals()
    assert (total.due, total.played, total.comfort) == (10, 10 - PRIME_FRAMES, PRIME_FRAMES)
    assert bench.playout.stats.frames_primed == PRIME_FRAMES


def test_a_loss_while_the_decoder_is_primed_is_not_heard_either(
    bench: Bench, make_packet: MakePacket, decoder: Any, code: Callable[[int], int]
) -> None:
    bench.open()
    frames = [500, 501, 503, 504, 505, 506]
    bench.timeline.end(EPOCH, 506)
    heard = bench.run(1.2, live(make_packet, frames))
    assert decoder.decoded == [code(frame) for frame in (500, 501, 501, 503, 504, 505, 506)]
    start = int(np.flatnonzero(heard)[0])
    assert heard[start + 200] == pytest.approx(level(code(505)))
    total = bench.timeline.totals()
    assert (total.played, total.concealed, total.comfort) == (2, 0, 5)
    assert total.balanced


def test_a_loss_is_concealed_then_silent_and_every_frame_is_accounted_for(
    bench: Bench, make_packet: MakePacket, decoder: Any
) -> None:
    bench.open()
    frames = [*range(5), *range(12, 20)]
    bench.timeline.end(EPOCH, 19)
    heard = bench.run(2.5, live(make_packet, frames))
    total = bench.timeline.totals()
    assert (total.played, total.concealed) == (13, 3)
    assert total.balanced
    silent = heard[int(0.16 * RATE) + 8 * FRAME + 400 : int(0.16 * RATE) + 12 * FRAME - 400]
    assert not silent.any()
    assert not np.isnan(heard).any()
    # The decoder heard the held frame throughout the gap and nothing else.
    fed = decoder.decoded
    assert fed[:5] == [100, 101, 102, 103, 104]
    assert fed[5:12] == [104] * 7
    assert fed[12] == 112
    assert decoder.resets == 1


def test_after_a_long_gap_the_decoder_is_reset_and_primed(bench: Bench, make_packet: MakePacket, decoder: Any) -> None:
    bench.open()
    heard = bench.run(4.0, live(make_packet, [0, 1, 2, *range(30, 40)]))
    assert decoder.resets == 2
    assert bench.playout.stats.frames_primed == PRIME_FRAMES
    assert heard[round((0.16 + 36.5 * FRAME_S) * RATE)] == pytest.approx(level(136))
    assert not heard[round((0.16 + 29 * FRAME_S) * RATE) : round((0.16 + 33.5 * FRAME_S) * RATE)].any()


def test_a_new_epoch_starts_the_decoder_afresh(bench: Bench, make_packet: MakePacket, decoder: Any) -> None:
    bench.open()
    bench.run(0.5, live(make_packet, [0, 1]))
    bench.open(EPOCH + 1)
    bench.run(1.0, live(make_packet, [0, 1], epoch=EPOCH + 1))
    assert decoder.resets == 2
    assert bench.timeline.totals().balanced


def test_latency_is_capture_to_sink_with_the_codecs_delay(
    bench: Bench, make_packet: MakePacket, spec: CodecSpec
) -> None:
    bench.open()
    bench.run(2.0, live(make_packet, list(range(20))))
    latency = bench.playout.stats.latency_ms.snapshot()
    # Captured from 99.9 s on, arrived at 100.0 s, 160 ms of delay, up to 30 ms of lead; the codec adds its own.
    codec_ms = 1000 * spec.delay_samples / spec.sample_rate
    assert latency.p50 == pytest.approx(100 + 160 + codec_ms, abs=15)
    assert latency.count == 20


def test_a_card_at_48_khz_gets_resampled_sound(decoder: Any, make_packet: MakePacket) -> None:
    bench = Bench(decoder, sink_rate=48000)
    bench.open()
    bench.timeline.end(EPOCH, 3)
    heard = bench.run(0.6, live(make_packet, [0, 1, 2, 3]))
    loud = heard[np.abs(heard) > 0.05]
    assert len(loud) == pytest.approx(4 * 3 * FRAME, rel=0.01)
    assert bench.ring.underruns == 0


def test_when_nothing_is_due_the_ring_runs_dry_without_an_underrun(bench: Bench, make_packet: MakePacket) -> None:
    bench.open()
    bench.timeline.insert(make_packet(0), bench.now)
    bench.timeline.end(EPOCH, 0)
    bench.run(1.0)
    assert bench.ring.underruns == 0
    assert not bench.ring.active
    assert bench.timeline.ended
    assert bench.playout.step(bench.now) is None


def test_the_time_to_come_again_is_when_the_ring_falls_to_its_lead(bench: Bench, make_packet: MakePacket) -> None:
    bench.open()
    bench.timeline.insert(make_packet(0), bench.now)
    assert bench.playout.step(bench.now) == pytest.approx(bench.now + 0.16)
    later = bench.now + 0.16
    assert bench.playout.step(later) == pytest.approx(later + FRAME_S - 0.03)


def test_a_sink_that_goes_on_at_another_rate_hears_every_later_frame_when_it_is_due(
    decoder: Any, make_packet: MakePacket, code: Callable[[int], int]
) -> None:
    bench = Bench(decoder, sink_rate=48000)
    rings: list[tuple[PcmRing, int]] = []
    bench.playout = Playout(
        bench.timeline,
        decoder,
        bench.ring,
        sink_rate=48000,
        lead_s=0.03,
        sink_rate_now=lambda: bench.sink_rate,
        on_new_ring=lambda ring, rate: rings.append((ring, rate)),
        utc=lambda: bench.now,
    )
    bench.open()
    arrivals = live(make_packet, list(range(40)))
    bench.run(1.0, arrivals)
    bench.sink_rate = 44100
    assert bench.playout.step(bench.now) is not None
    (ring, rate), bench.ring = rings[0], rings[0][0]
    assert (rate, bench.playout.ring) == (44100, ring)
    stale = ring.level
    heard = bench.run(1.0, {tick - 100: packet for tick, packet in arrivals.items() if tick >= 100})
    assert not heard[:1000].any(), "what was made for the old rate was heard"
    assert stale == pytest.approx(0.07 * 44100, abs=0.05 * 44100)
    # Frame f is due at 0.16 s + f * 0.08 s: its middle, one second later, has its level to within the resampler.
    for frame in range(13, 20):
        middle = round((0.16 + (frame + 0.5) * FRAME_S - 1.0) * 44100)
        assert heard[middle] == pytest.approx(level(code(frame)), abs=0.005)
    assert (bench.playout.stats.rate_changes, ring.underruns) == (1, 0)
    assert bench.timeline.totals().concealed == 0


def test_the_volume_is_heard_and_the_ring_is_full_as_ever(decoder: Any, make_packet: MakePacket) -> None:
    loud, soft = Bench(decoder), Bench(decoder)
    soft.playout = Playout(
        soft.timeline, decoder, soft.ring, sink_rate=RATE, lead_s=0.03, volume=Volume(50), utc=lambda: soft.now
    )
    for bench in (loud, soft):
        bench.open()
    arrivals = live(make_packet, list(range(5)))
    np.testing.assert_allclose(soft.run(0.8, arrivals), 0.125 * loud.run(0.8, arrivals), atol=1e-7)
    assert soft.ring.underruns == 0


def decode_times(frames: int) -> float:
    """A slow board: 50 ms for one frame, 80 ms for four at once."""
    return 0.05 if frames == 1 else 0.08


def test_the_ring_is_kept_so_full_that_the_sound_lasts_while_a_frame_is_decoded(
    decoder: Any, make_packet: MakePacket
) -> None:
    bench = Bench(decoder, step_s=lambda frames: 0.04)
    bench.open()
    bench.timeline.insert(make_packet(0), bench.now)
    due = bench.playout.step(bench.now)
    assert due == pytest.approx(bench.now + 0.16)
    assert bench.playout.step(bench.now + 0.16) == pytest.approx(bench.now + 0.16 + FRAME_S - 0.03 - 0.04)


def test_frames_that_came_in_time_are_decoded_several_at_once(
    decoder: Any, make_packet: MakePacket, code: Callable[[int], int]
) -> None:
    several = Bench(decoder, delay_s=1.2, frames_per_step=4, step_s=decode_times)
    several.open()
    several.timeline.end(EPOCH, 39)
    arrivals = {40 * index: make_packet(5 * index, 5) for index in range(8)}
    heard = several.run(5.0, arrivals)
    assert sum(decoder.steps) == 40
    assert decoder.steps.count(4) >= 9
    first = int(np.flatnonzero(heard)[0])
    expected = np.repeat([level(code(frame)) for frame in range(40)], FRAME)
    np.testing.assert_allclose(heard[first : first + 40 * FRAME], expected, atol=1e-6)
    assert first == pytest.approx(1.2 * RATE, abs=RATE * 0.011), "the sound came later than with one frame a step"
    assert several.ring.underruns == 0
    latency = several.playout.stats.latency_ms.snapshot()
    assert latency.p95 - latency.p50 < 1.0, "a frame of a step has its own latency"


def test_nothing_is_called_lost_early_because_several_frames_are_decoded_at_once(
    decoder: Any, make_packet: MakePacket, code: Callable[[int], int]
) -> None:
    """Each frame comes 30 ms before it is due, far later than a step of four would want it."""
    bench = Bench(decoder, delay_s=0.16, frames_per_step=4, step_s=lambda frames: 0.01 * frames)
    bench.open()
    bench.timeline.end(EPOCH, 29)
    late = {8 * frame + (0 if frame == 0 else 9): make_packet(frame) for frame in range(30)}
    heard = bench.run(3.5, late)
    assert bench.timeline.totals().played == 30
    assert bench.ring.underruns == 0
    assert heard[np.flatnonzero(heard)[-1]] == pytest.approx(level(code(29)), abs=1e-3)


def test_several_frames_a_step_stop_at_a_hole_and_at_the_end(decoder: Any, make_packet: MakePacket) -> None:
    bench = Bench(decoder, delay_s=1.2, frames_per_step=4)
    bench.open()
    bench.timeline.end(EPOCH, 17)
    bench.timeline.insert(make_packet(0, 6), bench.now)
    bench.timeline.insert(make_packet(7, 11), bench.now)
    bench.run(4.0)
    total = bench.timeline.totals()
    assert (total.due, total.played, total.concealed) == (18, 17, 1)


def test_a_decoder_that_is_too_slow_gives_messages_their_turn(
    decoder: Any, make_packet: MakePacket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sink empties the ring while each frame is decoded: without a bound `step` would never come back."""
    bench = Bench(decoder, delay_s=0.0)
    bench.open()
    bench.timeline.insert(make_packet(0, 10), bench.now)
    monkeypatch.setattr(bench.ring, "write", len)
    assert bench.playout.step(bench.now) == bench.now
    assert len(decoder.decoded) == STEPS_AT_ONCE


def test_a_player_that_stood_still_goes_on_with_what_is_due_now_and_not_with_what_was(
    bench: Bench, make_packet: MakePacket
) -> None:
    bench.open()
    packets = live(make_packet, list(range(500)))
    bench.run(2.0, packets)
    before = bench.playout.stats.latency_ms.snapshot().maximum
    stood_still = {tick: packet for tick, packet in packets.items() if tick >= 200}
    bench.now += 20.0
    for tick in sorted(tick for tick in stood_still if tick < 2200):
        bench.timeline.insert(stood_still[tick], bench.now)  # what the socket held
    bench.run(5.0, {tick - 2200: packet for tick, packet in stood_still.items() if tick >= 2200})
    assert bench.playout.stats.latency_ms.snapshot().maximum < before + 1000 * FRAME_S + 1
    totals = bench.timeline.totals()
    assert totals.balanced
    assert 19.5 / FRAME_S <= totals.skipped <= 20.5 / FRAME_S


def test_a_decoder_that_takes_long_is_no_player_that_stood_still(decoder: Any, make_packet: MakePacket) -> None:
    bench = Bench(decoder, delay_s=1.2, step_s=lambda frames: 0.5)
    bench.open()
    packets = live(make_packet, list(range(50)))
    bench.run(2.0, packets)
    bench.now += 2.0
    bench.run(0.01)
    assert bench.timeline.totals().skipped == 0


def pausing(make_packet: MakePacket, first: int, last: int, *, after: int) -> dict[int, TokenPacket]:
    """Speech, the last `after` frames of it background, then a pause."""
    packets = live(make_packet, list(range(first, last)))
    tick = 8 * (last - 1 - first)
    return packets | {tick: replace(packets[tick], pause_after=after)}


def test_in_a_pause_the_room_is_heard_and_every_frame_of_it_is_counted(
    bench: Bench, decoder: Any, make_packet: MakePacket, code: Callable[[int], int]
) -> None:
    bench.open()
    packets = pausing(make_packet, 0, 20, after=8)
    packets |= {8 * frame: make_packet(frame) for frame in range(60, 80)}
    heard = bench.run(6.6, packets)
    bench.timeline.end(EPOCH, 79)
    bench.run(1.0)
    assert decoder.decoded[:20] == [code(frame) for frame in range(20)]
    assert set(decoder.decoded[20:60]) == {code(frame) for frame in range(12, 20)}
    assert decoder.decoded[60:80] == [code(frame) for frame in range(60, 80)]
    totals = bench.timeline.totals()
    assert (totals.due, totals.played, totals.comfort, totals.concealed) == (80, 40, 40, 0)
    assert decoder.resets == 1
    assert bench.ring.underruns == 0
    pause = heard[int(np.flatnonzero(heard)[0]) :][20 * FRAME : 60 * FRAME]
    assert np.all(pause > 0.0)  # neither a hole nor a fade


def test_a_pause_before_any_background_was_heard_is_silence(bench: Bench, make_packet: MakePacket) -> None:
    bench.open()
    bench.run(1.0, {0: make_packet(0)})
    bench.timeline.hear_heartbeat(EPOCH & 0x7F, bench.now)
    heard = bench.run(1.5)
    assert not heard[-RATE:].any()
    totals = bench.timeline.totals()
    assert totals.balanced
    assert totals.comfort > 10


def test_the_decoder_is_primed_in_a_pause_and_the_voice_after_it_is_whole(
    bench: Bench, decoder: Any, make_packet: MakePacket
) -> None:
    """The process stood still in a pause: what the decoder forgets must not cost the first syllable."""
    bench.open()
    bench.run(2.5, pausing(make_packet, 0, 20, after=8))
    bench.timeline.pass_over(2.0)
    bench.now += 2.0
    played = bench.timeline.totals().played
    bench.run(1.5)
    assert decoder.resets == 2
    bench.run(3.0, live(make_packet, list(range(80, 100))))
    bench.timeline.end(EPOCH, 99)
    bench.run(1.0)
    assert bench.timeline.totals().played - played == 20
    assert bench.playout.stats.frames_primed == 0
