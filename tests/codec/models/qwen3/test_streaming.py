"""Streamed equals one pass, however the stream is cut, past every window; and nothing hears the future."""

from __future__ import annotations

from itertools import cycle

import pytest
import torch
from torch import Tensor

from codec.models.half import CodecHalf, DecoderHalf, EncoderHalf
from codec.models.layers import State
from codec.models.qwen3 import Qwen3Tokenizer
from codec.models.ties import is_tie

TOLERANCE = 1e-4
FRAME = 1920
LONG = 330
"""Frames: past the decoder's window of 72 and past 300, where the official package begins to cut."""
SPEECH = 150
"""Frames: 300 steps of the encoder's transformer, whose window is 250."""


@pytest.fixture(scope="module")
def codes() -> Tensor:
    return torch.randint(2048, (1, 16, LONG), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def decoded(tokenizer: Qwen3Tokenizer, codes: Tensor) -> Tensor:
    return tokenizer.decode(codes)


@pytest.fixture(scope="module")
def pcm() -> Tensor:
    """Noise that swells and fades, with a beginning in silence."""
    generator = torch.Generator().manual_seed(2)
    level = torch.nn.functional.interpolate(torch.rand(1, 1, 40, generator=generator), size=SPEECH * FRAME)[0]
    noise = 0.4 * level * torch.randn(1, SPEECH * FRAME, generator=generator)
    noise[:, : 3 * FRAME + 100] = 0.0
    return noise


@pytest.fixture(scope="module")
def encoded(encoder: EncoderHalf, pcm: Tensor) -> tuple[Tensor, Tensor]:
    """Codes and latents of one pass."""
    with torch.inference_mode():
        (codes, latents), _ = encoder(pcm, encoder.initial_state(1))
    return codes, latents


@pytest.fixture(scope="module")
def encoder(tokenizer: Qwen3Tokenizer) -> EncoderHalf:
    return EncoderHalf(tokenizer.encoder, tokenizer.encoder_quantizer)


@pytest.fixture(scope="module")
def decoder(tokenizer: Qwen3Tokenizer) -> DecoderHalf:
    return DecoderHalf(tokenizer.decoder, tokenizer.decoder_quantizer)


@torch.inference_mode()
def stream(half: CodecHalf, data: Tensor, sizes: list[int], *, step: int) -> list[tuple[Tensor, ...]]:
    """The outputs of every chunk; `sizes` in frames of `step` items, over and over until `data` is used up."""
    state: State = half.initial_state(data.shape[0])
    outputs: list[tuple[Tensor, ...]] = []
    at = 0
    for size in cycle(sizes):
        chunk = data[..., at : at + size * step]
        if not chunk.shape[-1]:
            return outputs
        at += chunk.shape[-1]
        output, state = half(chunk, state)
        outputs.append(output)
    raise AssertionError("cycle() ends never")


@pytest.mark.parametrize("sizes", [[1], [2], [3], [5], [25], [130], [1, 130, 7], [329, 1]], ids=str)
def test_streamed_samples_are_those_of_one_pass(
    decoder: DecoderHalf, codes: Tensor, decoded: Tensor, sizes: list[int]
) -> None:
    frames = 90 if max(sizes) < 5 else LONG
    got = torch.cat([pcm for (pcm,) in stream(decoder, codes[..., :frames], sizes, step=1)], dim=1)
    assert got.shape[1] == frames * FRAME
    torch.testing.assert_close(got, decoded[:, : frames * FRAME], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("sizes", [[1], [2], [3], [5], [25], [130], [1, 130, 7], [149, 1]], ids=str)
def test_streamed_codes_are_those_of_one_pass(
    encoder: EncoderHalf, pcm: Tensor, encoded: tuple[Tensor, Tensor], sizes: list[int]
) -> None:
    expected_codes, expected_latents = encoded
    chunks = stream(encoder, pcm, sizes, step=FRAME)
    codes, latents = (
        torch.cat([chunk[0] for chunk in chunks], dim=2),
        torch.cat([chunk[1] for chunk in chunks], dim=1),
    )
    torch.testing.assert_close(latents, expected_latents, atol=TOLERANCE, rtol=0)
    unequal = (codes != expected_codes).any(dim=1)[0].nonzero().flatten().tolist()
    for frame in unequal:
        ours, theirs = (given[0, :, frame].numpy() for given in (codes, expected_codes))
        assert is_tie(encoder.quantizer, expected_latents[0, frame], ours, theirs), f"frame {frame}"
    print(f"chunks of {sizes} frames: {len(unequal)} of {SPEECH} frames differ, all near-ties")
    assert len(unequal) <= 1


@pytest.mark.parametrize("frames", [1, 2, 13, 71, 72, 73])
def test_the_length_is_the_frames_exactly(
    tokenizer: Qwen3Tokenizer, codes: Tensor, decoded: Tensor, frames: int
) -> None:
    pcm = tokenizer.decode(codes[..., :frames])
    assert pcm.shape == (1, frames * FRAME)
    torch.testing.assert_close(pcm, decoded[:, : frames * FRAME], atol=TOLERANCE, rtol=0)
    assert tokenizer.encode(pcm).shape == (1, 16, frames)


@pytest.mark.parametrize("frame", [0, 7, 100])
def test_a_changed_frame_changes_samples_from_its_own_first_one_on(
    tokenizer: Qwen3Tokenizer, codes: Tensor, decoded: Tensor, frame: int
) -> None:
    changed = codes[..., : frame + 12].clone()
    changed[..., frame] = (changed[..., frame] + 1) % 2048
    moved = (tokenizer.decode(changed) - decoded[:, : changed.shape[-1] * FRAME]).abs()[0]
    assert float(moved[: frame * FRAME].max() if frame else 0.0) < 1e-5
    assert float(moved[frame * FRAME]) > 1e-5
    assert float(moved[-FRAME:].max()) > 1e-5  # ten frames later it is still heard


@pytest.mark.parametrize("sample", [0, 1919, 1920, 50_000])
def test_a_changed_sample_changes_codes_from_its_own_frame_on(
    encoder: EncoderHalf, pcm: Tensor, encoded: tuple[Tensor, Tensor], sample: int
) -> None:
    frame = sample // FRAME
    changed = pcm[:, : (frame + 3) * FRAME].clone()
    changed[:, sample] += 0.5
    with torch.inference_mode():
        (codes, latents), _ = encoder(changed, encoder.initial_state(1))
    moved = (latents - encoded[1][:, : latents.shape[1]]).abs().amax(dim=-1)[0]
    assert float(moved[:frame].max() if frame else 0.0) < 1e-5
    assert float(moved[frame]) > 1e-3
    assert torch.equal(codes[..., :frame], encoded[0][..., :frame])


def test_what_is_older_than_every_window_is_not_heard(decoder: DecoderHalf, codes: Tensor, decoded: Tensor) -> None:
    """Two layers of 72 frames and 12 of convolutions, in the toy size: 154 frames on, the past makes no difference."""
    (late,), _ = decoder(codes[..., 330 - 200 :], decoder.initial_state(1))
    torch.testing.assert_close(late[:, -40 * FRAME :], decoded[:, -40 * FRAME :], atol=TOLERANCE, rtol=0)
    (short,), _ = decoder(codes[..., 330 - 60 :], decoder.initial_state(1))
    assert float((short[:, -FRAME:] - decoded[:, -FRAME:]).abs().max()) > 1e-3


@pytest.mark.parametrize("layers", [1, 2, 4, 8, 15])
def test_any_prefix_of_the_layers_decodes(tokenizer: Qwen3Tokenizer, codes: Tensor, layers: int) -> None:
    """As one stack's sum plus the other's; and as all layers of which the rest are marked absent."""
    part = codes[:, :layers, :20]
    first, rest = tokenizer.decoder_quantizer.stacks
    latent = first.decode(part[:, :1])  # type: ignore[operator]
    if layers > 1:
        latent = latent + rest.decode(part[:, 1:])  # type: ignore[operator]
    expected = tokenizer.decoder.offline(latent)
    torch.testing.assert_close(tokenizer.decode(part), expected, atol=1e-6, rtol=0)
    absent = torch.full((1, 16 - layers, 20), -1)
    if layers > 1:
        filled = tokenizer.decode(torch.cat([part, absent], dim=1))
        torch.testing.assert_close(filled, expected, atol=1e-5, rtol=0)
    assert float((tokenizer.decode(codes[..., :20]) - expected).abs().max()) > 1e-3


def test_rows_of_a_batch_are_those_of_one_alone(tokenizer: Qwen3Tokenizer, codes: Tensor, pcm: Tensor) -> None:
    rows = torch.cat([codes[..., :20], codes[..., 100:120]])
    together = tokenizer.decode(rows)
    for row in range(2):
        torch.testing.assert_close(
            together[row : row + 1], tokenizer.decode(rows[row : row + 1]), atol=TOLERANCE, rtol=0
        )
    voices = torch.cat([pcm[:, : 20 * FRAME], pcm[:, -20 * FRAME :]])
    assert torch.equal(tokenizer.encode(voices)[1:], tokenizer.encode(voices[1:]))
