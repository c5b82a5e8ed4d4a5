"""Our encoder against the official one: the same codes, up to near-ties, which are counted.

Up to 250 steps of 40 ms (125 frames) the official code runs as it is. Beyond, its attention sees everything on a CPU,
although its configuration states a window: so ours is compared twice, with that window put into the official code, and
with full attention against the code as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.qwen3.agreement import Agreement, compare_codes
from codec.models.factory import load_torch_encoder
from codec.models.half import EncoderHalf
from codec.models.layers import WindowedAttention
from codec.models.session import TorchEncoder
from export.parity import TOLERANCE

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(1800)]

CHUNKS = (1, 4, 25, 2, 130, 7)
"""Frames of one step after the other: what streams meet, and more than the attention's window at once."""

long = pytest.mark.full
SHORT = [("real", 1), ("real", 13), ("small", 125), pytest.param("real", 125, marks=long)]
BEYOND = [("small", 301), ("small", 700), *(pytest.param("real", frames, marks=long) for frames in (301, 700))]


@pytest.mark.parametrize(("name", "frames"), SHORT)
def test_the_codes_are_those_of_the_official_code_as_it_is(
    official: Any, releases: Any, report: Any, speech: Any, name: str, frames: int
) -> None:
    release = releases.get(name)
    pcm = speech[np.newaxis, : frames * release.frame_size]
    theirs = official.ask(release, "encode", {"pcm": pcm})
    report.add("encoder, one pass", release, _against(release, *_one_pass(release.ours.encoder, pcm), theirs)).require()
    report.add("encoder, streamed", release, _against(release, *_streamed(release, pcm), theirs)).require()


@pytest.mark.parametrize(("name", "frames"), BEYOND)
def test_beyond_the_window_the_codes_are_those_of_the_official_code_with_its_window(
    official: Any, releases: Any, report: Any, speech: Any, name: str, frames: int
) -> None:
    release = releases.get(name)
    pcm = speech[np.newaxis, : frames * release.frame_size]
    theirs = official.ask(release, "encode", {"pcm": pcm}, windowed=True)
    as_it_is = official.ask(release, "encode", {"pcm": pcm})

    assert np.abs(theirs["latents"] - as_it_is["latents"]).max() > 100 * TOLERANCE, "the window made no difference"
    codes, latents = _streamed(release, pcm)
    report.add("encoder, window, streamed", release, _against(release, codes, latents, theirs)).require()


@pytest.mark.parametrize(("name", "frames"), BEYOND)
def test_with_full_attention_the_codes_are_those_of_the_official_code_as_it_is(
    official: Any, releases: Any, report: Any, speech: Any, name: str, frames: int
) -> None:
    release = releases.get(name)
    pcm = speech[np.newaxis, : frames * release.frame_size]
    theirs = official.ask(release, "encode", {"pcm": pcm})
    encoder = load_torch_encoder("qwen3-12hz", release.folder, "cpu", full_attention=True)
    codes, latents = _streamed(release, pcm, encoder=encoder)
    report.add("encoder, full attention, streamed", release, _against(release, codes, latents, theirs)).require()


def test_a_recording_in_a_batch_gives_what_it_gives_alone_once_padded_to_whole_frames(
    official: Any, releases: Any, speech: Any
) -> None:
    release = releases.get("small")
    size = release.frame_size
    lengths = (1, size - 1, size, size + 1, 24_000)
    recordings = {f"of_{length}": speech[5 * size : 5 * size + length] for length in lengths}
    padded = {name: np.pad(wave, (0, -len(wave) % size)) for name, wave in recordings.items()}
    as_they_are = official.ask(release, "tokenizer_encode", recordings)
    whole_frames = official.ask(release, "tokenizer_encode", padded)

    for name, wave in padded.items():
        codes, _ = _one_pass(release.ours.encoder, wave[np.newaxis])
        np.testing.assert_array_equal(codes[0].T, whole_frames[name])
        alone = official.ask(release, "tokenizer_encode", {name: recordings[name]})[name]
        assert len(alone) == len(as_they_are[name]) == len(wave) // size
        # A partial last frame depends on the company in the official package; the others do not.
        np.testing.assert_array_equal(codes[0].T[:-1], alone[:-1])


def test_a_window_that_is_one_step_off_is_found(official: Any, releases: Any, speech: Any) -> None:
    release = releases.get("small")
    pcm = speech[np.newaxis, : 140 * release.frame_size]
    theirs = official.ask(release, "encode", {"pcm": pcm}, windowed=True)
    layers = [layer for layer in release.ours.encoder.modules() if isinstance(layer, WindowedAttention)]
    try:
        for layer in layers:
            layer.window = 249
        agreement = _against(release, *_one_pass(release.ours.encoder, pcm), theirs)
    finally:
        for layer in layers:
            layer.window = 250
    with pytest.raises(AssertionError, match="largest difference"):
        agreement.require()


def test_codes_that_are_other_without_a_near_tie_are_found(official: Any, releases: Any, speech: Any) -> None:
    release = releases.get("small")
    pcm = speech[np.newaxis, : 13 * release.frame_size]
    theirs = official.ask(release, "encode", {"pcm": pcm})
    codes, latents = _one_pass(release.ours.encoder, pcm)
    codes[0, 3, 5] = (codes[0, 3, 5] + 1) % release.ours.spec.codebook_size
    with pytest.raises(AssertionError, match="1 of 13 frames have other codes"):
        _against(release, codes, latents, theirs).require()


@long
def test_over_all_cases_above_near_ties_are_as_rare_as_the_rule_asks(report: Any) -> None:
    together = report.real_codes()
    print(f"\nreal, all cases: {together.ties} near-ties in {together.frames} frames")
    together.require()


def _against(
    release: Any, codes: NDArray[np.int64], latents: NDArray[np.float32], theirs: dict[str, NDArray[Any]]
) -> Agreement:
    # The session tells what the quantiser made of the latents, the official hook the latents themselves.
    quantizer = release.encoder_quantizer
    with torch.inference_mode():
        projected = quantizer.project(torch.from_numpy(theirs["latents"])).numpy()
    return compare_codes(quantizer, codes=codes, latents=latents, their_codes=theirs["codes"], their_latents=projected)


def _one_pass(half: EncoderHalf, pcm: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Codes [B, K, N] and projected latents [B, N, dim]."""
    with torch.inference_mode():
        (codes, latents), _ = half(torch.from_numpy(pcm), half.initial_state(len(pcm)))
    return codes.numpy(), latents.numpy()


def _streamed(
    release: Any, pcm: NDArray[np.float32], *, encoder: TorchEncoder | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The same through a session, in steps of `CHUNKS`."""
    encoder = encoder or TorchEncoder(release.ours.encoder, release.ours.spec)
    frames, at, turn = pcm.shape[1] // release.frame_size, 0, 0
    codes, latents = [], []
    with encoder.session() as session:
        while at < frames:
            step = CHUNKS[turn % len(CHUNKS)]
            codes.append(session.encode(pcm[:, at * release.frame_size : (at + step) * release.frame_size]))
            latents.append(session.latents.numpy())
            at, turn = at + step, turn + 1
    return np.concatenate(codes, axis=2), np.concatenate(latents, axis=1)
