"""Our decoder against the official `decoder(codes)` in one pass: the same audio, however it is streamed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.qwen3.agreement import Agreement, compare_audio
from codec.models.half import DecoderHalf
from codec.models.layers import WindowedAttention
from codec.models.session import TorchDecoder
from export.parity import TOLERANCE

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(1800)]

CHUNKS = (1, 4, 25, 2, 72, 7)
"""Frames of one step after the other: what streams meet, and more than the attention's window at once."""
ONE_PASS = 301
"""Frames up to which ours also runs in one pass: beyond, that is minutes more and gigabytes."""

long = pytest.mark.full
CASES = [
    ("real", 1), ("real", 13), ("small", 301), ("small", 700),
    *(pytest.param("real", frames, marks=long) for frames in (125, 301, 700)),
]  # fmt: skip
PREFIXES = [
    ("small", 1), ("small", 4), ("small", 8), ("small", 15), ("real", 4),
    *(pytest.param("real", layers, marks=long) for layers in (1, 8, 15)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "frames"), CASES)
def test_the_audio_is_the_official_one_however_it_is_streamed(
    official: Any, releases: Any, report: Any, name: str, frames: int
) -> None:
    release = releases.get(name)
    codes = _codes(release, frames)
    theirs = official.ask(release, "decode", {"codes": codes})["pcm"]

    assert theirs.shape == (1, frames * release.frame_size)
    if frames >= 13:
        assert 0.05 < np.sqrt(np.mean(theirs**2)) < 0.3, "too faint, or too loud, to hear a difference"
        assert np.mean(np.abs(theirs) >= 1) < 0.01, "clipping hides differences"
    streamed = _streamed(release, codes)
    report.add("decoder, streamed", release, compare_audio(streamed, theirs, frame_size=release.frame_size)).require()
    if frames <= ONE_PASS:
        whole = _one_pass(release.ours.decoder, codes)
        report.add("decoder, one pass", release, compare_audio(whole, theirs, frame_size=release.frame_size)).require()


@pytest.mark.parametrize(("name", "layers"), PREFIXES)
def test_fewer_layers_are_the_official_quantizer_and_stages_on_those_layers(
    official: Any, releases: Any, report: Any, name: str, layers: int
) -> None:
    release = releases.get(name)
    codes = _codes(release, 5)[:, :layers]
    theirs = official.ask(release, "decode", {"codes": codes})["pcm"]
    agreement = compare_audio(_streamed(release, codes), theirs, frame_size=release.frame_size)
    report.add(f"decoder, {layers} layers", release, agreement).require()


def test_the_official_streaming_by_chunks_is_not_exact_and_ours_is(official: Any, releases: Any, report: Any) -> None:
    release = releases.get("small")
    codes = _codes(release, 40)
    windowed = official.ask(release, "chunked_decode", {"codes": codes}, chunk=1, context=25)["pcm"]
    whole = official.ask(release, "decode", {"codes": codes})["pcm"]

    approximate = compare_audio(windowed, whole, frame_size=release.frame_size)
    report.add("official chunked_decode, context 25, against its own one pass", release, approximate)
    assert approximate.largest > TOLERANCE
    compare_audio(_streamed(release, codes), whole, frame_size=release.frame_size).require()


def test_a_weight_that_is_one_percent_off_is_found(official: Any, releases: Any) -> None:
    release = releases.get("small")
    codes = _codes(release, 13)
    theirs = official.ask(release, "decode", {"codes": codes})["pcm"]
    attention = next(part for part in release.ours.decoder.modules() if isinstance(part, WindowedAttention))
    weight = attention.value.weight
    before = weight.clone()
    try:
        weight.mul_(1.01)
        agreement = compare_audio(_streamed(release, codes), theirs, frame_size=release.frame_size)
    finally:
        weight.copy_(before)
    with pytest.raises(AssertionError, match="largest difference"):
        agreement.require()


def test_a_nan_is_no_agreement() -> None:
    with pytest.raises(AssertionError, match="largest difference nan"):
        Agreement(frames=1, largest=float("nan")).require()


def _codes(release: Any, frames: int) -> NDArray[np.int64]:
    """Random codes [1, 16, frames]."""
    spec = release.ours.spec
    drawn = np.random.default_rng(frames).integers(0, spec.codebook_size, (frames, spec.num_layers))
    return np.ascontiguousarray(drawn.T[np.newaxis])


def _one_pass(half: DecoderHalf, codes: NDArray[np.int64]) -> NDArray[np.float32]:
    with torch.inference_mode():
        (pcm,), _ = half(torch.from_numpy(codes), half.initial_state(1))
    result: NDArray[np.float32] = pcm.numpy()
    return result


def _streamed(release: Any, codes: NDArray[np.int64]) -> NDArray[np.float32]:
    """The same through a session, in steps of `CHUNKS`."""
    parts, at, turn = [], 0, 0
    with TorchDecoder(release.ours.decoder, release.ours.spec).session() as session:
        while at < codes.shape[2]:
            step = CHUNKS[turn % len(CHUNKS)]
            parts.append(session.decode(codes[:, :, at : at + step]))
            at, turn = at + step, turn + 1
    return np.concatenate(parts, axis=1)
