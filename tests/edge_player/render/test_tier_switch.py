"""A tier that is left and joined again in mid-speech, through jitter buffer and play-out of the packaged nano."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from codec import Tokenizer
from edge_player.buffer.capture_clock import CaptureClock
from edge_player.buffer.jitter_buffer import JitterConfig
from edge_player.buffer.timeline import EpochPlan, Timeline
from edge_player.intake.tiers import TierMap
from edge_player.render.decoder import OnnxFrameDecoder
from edge_player.render.playout import Playout
from edge_player.render.ring import PcmRing
from protocol.epoch import epoch_low7
from protocol.manifest import Tier
from protocol.packet import TokenPacket

EPOCH, FRAME_S, BASE, FRAMES = 0x1234_5678_9ABC_DE05, 0.08, 4, 200
AROUND_S, NEAR_S, TOLERANCE = 0.1, 0.04, 1.1
CLIP = Path(__file__).resolve().parents[3] / "gateway" / "assets" / "demo_speech.flac"

Sound = NDArray[np.float32]


@pytest.fixture(scope="module")
def codes() -> NDArray[np.int64]:
    """[16, FRAMES] of the bundled clip."""
    return np.asarray(Tokenizer.load("nano").encode(CLIP).codes)[0, :, :FRAMES].astype(np.int64)


@pytest.fixture
def decoder() -> Iterator[OnnxFrameDecoder]:
    with OnnxFrameDecoder() as loaded:
        yield loaded


def listen(decoder: OnnxFrameDecoder, codes: NDArray[np.int64], *, whole: NDArray[np.bool_]) -> tuple[Sound, Timeline]:
    """What is heard of a stream in two tiers whose upper one is there for the frames `whole` [FRAMES]."""
    decoder.reset()
    rate = decoder.spec.sample_rate
    timeline = Timeline(on_switch=lambda plan: playout.switch(plan))
    ring = PcmRing(Playout.ring_capacity(frame_duration_s=FRAME_S, sink_rate=rate, lead_s=0.0))
    playout = Playout(timeline, decoder, ring, sink_rate=rate, lead_s=0.0, utc=lambda: 0.0)
    tiers = TierMap((Tier(0, BASE), Tier(BASE, 16 - BASE)), num_layers=16)
    capture = CaptureClock(started_at_ms=0, frame_duration_s=FRAME_S)
    timeline.open(EpochPlan(EPOCH, 0, tiers, JitterConfig(FRAME_S, 0.0), capture))
    heard = []
    for frame in range(codes.shape[1]):
        now = frame * FRAME_S
        for tier, layers in enumerate((codes[:BASE], codes[BASE:])):
            if tier == 0 or whole[frame]:
                column = layers[:, [frame]].astype(np.uint16)
                timeline.insert(TokenPacket(epoch_low7(EPOCH), frame, column), now, tier=tier)
        playout.step(now)
        block = np.zeros(decoder.spec.frame_size, dtype=np.float32)
        ring.fill(block)
        heard.append(block)
    return np.concatenate(heard), timeline


def curves(sound: Sound) -> Sound:
    """How sharply it bends at each sample: a step that is no speech shows there first."""
    bends: Sound = np.abs(np.diff(sound, 2))
    return bends


@pytest.mark.parametrize("period", [3, 8])
def test_sixteen_layers_to_four_and_back_is_no_click_anywhere(
    period: int, codes: NDArray[np.int64], decoder: OnnxFrameDecoder
) -> None:
    whole = (np.arange(FRAMES) // period) % 2 == 0
    switched, timeline = listen(decoder, codes, whole=whole)
    totals = timeline.totals()
    assert (totals.due, totals.played) == (FRAMES, FRAMES)
    assert timeline.stats().thinned_frames == FRAMES - whole.sum()
    fine, _ = listen(decoder, codes, whole=np.ones(FRAMES, dtype=bool))
    coarse, _ = listen(decoder, codes, whole=np.zeros(FRAMES, dtype=bool))
    rate, frame_size = decoder.spec.sample_rate, decoder.spec.frame_size
    own = np.maximum(curves(fine), curves(coarse))
    ratios = []
    for switch in np.flatnonzero(np.diff(whole)) + 1:
        at = int(switch) * frame_size
        around = slice(max(0, at - round(AROUND_S * rate)), at + round(AROUND_S * rate))
        near = slice(at - round(NEAR_S * rate), at + round(NEAR_S * rate))
        ratios.append(float(curves(switched)[near].max() / own[around].max()))
    assert len(ratios) == (FRAMES - 1) // period
    assert max(ratios) <= TOLERANCE, f"at switch {int(np.argmax(ratios))} of {len(ratios)}"


def test_a_frame_that_is_cut_by_hand_would_be_heard_by_this_measure(
    codes: NDArray[np.int64], decoder: OnnxFrameDecoder
) -> None:
    """The test above can fail: a switch between two decoders instead of two frames is a click."""
    fine, _ = listen(decoder, codes, whole=np.ones(FRAMES, dtype=bool))
    coarse, _ = listen(decoder, codes, whole=np.zeros(FRAMES, dtype=bool))
    rate, frame_size = decoder.spec.sample_rate, decoder.spec.frame_size
    own = np.maximum(curves(fine), curves(coarse))
    ratios = []
    for switch in range(3, FRAMES - 3, 3):
        at = switch * frame_size
        cut = curves(np.concatenate([fine[:at], coarse[at:]]))
        around = slice(max(0, at - round(AROUND_S * rate)), at + round(AROUND_S * rate))
        ratios.append(float(cut[at - 4 : at + 4].max() / own[around].max()))
    assert max(ratios) > 1.4 * TOLERANCE
