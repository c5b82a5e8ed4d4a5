"""Attention with a ring is attention with a window: the same function, another memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from codec.errors import CodecError
from codec.models.factory import TorchCodec
from codec.models.layers import WindowedAttention
from codec.models.live import LiveDecoder, LiveEncoder
from codec.models.live.ring import MOST_STEPS, ROWS, RingAttention, with_rings
from codec.models.session import TorchDecoder, TorchEncoder
from codec.models.ties import is_tie
from tests.codec.models.live.conftest import noise

WIDTH, WINDOW = 16, 11
TOLERANCE = 1e-5


@pytest.fixture
def attention() -> WindowedAttention:
    torch.manual_seed(0)
    layer = WindowedAttention(WIDTH, num_heads=2, head_dim=6, window=WINDOW)
    return layer.requires_grad_(False)


def ring_outputs(ring: RingAttention, x: Tensor, chunks: list[int], *, position: int = 0) -> Tensor:
    state = ring.initial_state(len(x)) | {ROWS: torch.arange(len(x))}
    state["position"] += position
    parts = []
    for chunk in torch.split(x, chunks, dim=1):
        y, after = ring(chunk, state)
        state |= after
        parts.append(y)
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("chunk", [1, 2, 5, MOST_STEPS])
def test_it_is_the_window_in_any_chunks_and_many_times_round(attention: WindowedAttention, chunk: int) -> None:
    x = torch.randn(2, 120, WIDTH)
    expected = attention.offline(x)
    torch.testing.assert_close(
        ring_outputs(RingAttention(attention), x, [chunk] * (120 // chunk)), expected, rtol=0, atol=TOLERANCE
    )


def test_the_angle_is_as_good_after_years(attention: WindowedAttention) -> None:
    x = torch.randn(1, 60, WIDTH)
    late = ring_outputs(RingAttention(attention), x, [2] * 30, position=25 * 3600 * 24 * 365 * 3)
    torch.testing.assert_close(late[:, WINDOW:], attention.offline(x)[:, WINDOW:], rtol=0, atol=TOLERANCE)


def test_rows_at_other_places_of_a_larger_memory_go_their_own_ways(attention: WindowedAttention) -> None:
    ring = RingAttention(attention)
    memory = ring.initial_state(4)
    x = {row: torch.randn(1, 40, WIDTH) for row in (0, 2, 3)}
    sent = dict.fromkeys(x, 0)
    for rows in ([0], [0, 3], [2], [3, 0], [2, 3, 0]) * 6:
        index = torch.tensor(rows)
        chunk = torch.cat([x[row][:, sent[row] : sent[row] + 1] for row in rows])
        state = {"ring_keys": memory["ring_keys"], "ring_values": memory["ring_values"], ROWS: index}
        y, after = ring(chunk, state | {"position": memory["position"][index]})
        memory["position"][index] = after["position"]
        for row, own in zip(rows, y, strict=True):
            expected = attention.offline(x[row])[0, sent[row]]
            torch.testing.assert_close(own[0], expected, rtol=0, atol=TOLERANCE)
            sent[row] += 1
    assert not memory["ring_keys"][1].any(), "nobody's row stays as it was"


def test_a_step_that_is_run_again_gives_the_same(attention: WindowedAttention) -> None:
    ring = RingAttention(attention)
    state = ring.initial_state(1) | {ROWS: torch.tensor([0])}
    for chunk in torch.randn(20, 1, 2, WIDTH):
        first, after = ring(chunk, state)
        again, _ = ring(chunk, state)
        assert torch.equal(first, again)
        state |= after


def test_too_long_a_chunk_is_refused(attention: WindowedAttention) -> None:
    ring = RingAttention(attention)
    with pytest.raises(CodecError, match=f"up to {MOST_STEPS} steps"):
        ring(torch.zeros(1, MOST_STEPS + 1, WIDTH), ring.initial_state(1))


def test_a_half_with_rings_shares_its_weights(live_codec: TorchCodec) -> None:
    ours, theirs = with_rings(live_codec.encoder), live_codec.encoder
    assert {id(weight) for weight in ours.parameters()} == {id(weight) for weight in theirs.parameters()}
    assert any(isinstance(module, RingAttention) for module in ours.modules())
    assert not any(isinstance(module, RingAttention) for module in theirs.modules())


def test_a_live_stream_past_every_window_is_what_a_session_makes_of_it(live_qwen3: TorchCodec) -> None:
    spec, frames = live_qwen3.spec, 140  # the encoder's window is 125 frames, the decoder's 72
    pcm = noise(frames, spec.frame_size, seed=11)
    with TorchEncoder(live_qwen3.encoder, spec).session() as session:
        expected = session.encode(pcm)[0]
        latents = session.latents[0]
    encoder = LiveEncoder(live_qwen3.encoder, spec, capacity=2, max_waiting_frames=frames)
    handle = encoder.join()
    encoder.push(handle, pcm)
    codes = np.concatenate([encoder.step()[handle] for _ in range(frames)], axis=1)
    differing = np.flatnonzero((codes != expected).any(axis=0))
    assert all(is_tie(live_qwen3.encoder.quantizer, latents[n], codes[:, n], expected[:, n]) for n in differing)
    assert len(differing) <= 1

    with TorchDecoder(live_qwen3.decoder, spec).session() as session:
        sound = session.decode(expected)[0]
    decoder = LiveDecoder(live_qwen3.decoder, spec, capacity=2, max_waiting_frames=frames)
    handle = decoder.join()
    decoder.push(handle, expected)
    live = np.concatenate([decoder.step()[handle] for _ in range(frames)])
    np.testing.assert_allclose(live, sound, rtol=0, atol=1e-4)
