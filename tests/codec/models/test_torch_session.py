"""Sessions of the torch engine: rows, resets, twins, devices, and attention without a window."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from codec.errors import CodecError, DeviceError
from codec.load import load_encoder
from codec.models.device import exact_float32, torch_device
from codec.models.factory import FULL_ATTENTION_S, load_torch_codec, load_torch_encoder, load_torch_pair
from codec.models.qwen3.lively import save_lively, small_document
from codec.models.session import TorchDecoder, TorchDecoderSession, TorchEncoder, TorchEncoderSession
from codec.session import Codes, RowMask, Samples

FRAME = 1920
CODEC = "qwen3-12hz"
Session = TorchEncoderSession | TorchDecoderSession
Pair = tuple[TorchEncoder, TorchDecoder]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_lively(small_document(), tmp_path_factory.mktemp("qwen3"))


@pytest.fixture(scope="module")
def pair(release: Path) -> Pair:
    return load_torch_pair(CODEC, release)


class Feed:
    """One half with things to give it, so that a test meets both."""

    def __init__(self, half: TorchEncoder | TorchDecoder) -> None:
        self.half = half
        random = np.random.default_rng(4)
        self.codes: Codes = random.integers(2048, size=(2, 16, 24))
        self.pcm: Samples = (0.2 * random.standard_normal((2, 24 * FRAME))).astype(np.float32)

    def __call__(
        self, session: Session, first: int, last: int, active: RowMask | None = None, rows: slice = slice(None)
    ) -> NDArray[np.float32]:
        """What the session makes of frames `first` to `last`: samples, or latents, [B, …, N·x] with time last."""
        if isinstance(session, TorchDecoderSession):
            return session.decode(self.codes[rows, :, first:last], active)
        session.encode(self.pcm[rows, first * FRAME : last * FRAME], active)
        latents: NDArray[np.float32] = session.latents.transpose(1, 2).cpu().numpy()
        return latents


@pytest.fixture(params=[0, 1], ids=["encoder", "decoder"])
def feed(request: pytest.FixtureRequest, pair: Pair) -> Feed:
    return Feed(pair[request.param])


def close(one: NDArray[np.float32], other: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(one, other, atol=1e-4, rtol=0)


def test_a_reset_session_goes_on_as_a_new_one(feed: Feed) -> None:
    with feed.half.session(2) as session, feed.half.session(2) as fresh:
        feed(session, 10, 24)
        session.reset()
        close(feed(session, 0, 5), feed(fresh, 0, 5))
        close(feed(session, 5, 9), feed(fresh, 5, 9))


def test_rows_stand_at_different_places_and_are_reset_alone(feed: Feed) -> None:
    with feed.half.session(2) as session, feed.half.session(2) as whole:
        expected = feed(whole, 0, 12)
        step = expected.shape[-1] // 12
        feed(session, 0, 4)
        alone = feed(session, 4, 8, np.array([True, False]))
        close(alone[0], expected[0, ..., 4 * step : 8 * step])
        session.reset(np.array([True, False]))
        late = feed(session, 4, 6, np.array([False, True]))
        close(late[1], expected[1, ..., 4 * step : 6 * step])
        # Row 0 begins anew, row 1 goes on.
        both = feed(session, 6, 8)
        close(both[1], expected[1, ..., 6 * step : 8 * step])
        with feed.half.session(2) as fresh:
            close(both[0], feed(fresh, 6, 8)[0])


def test_the_state_of_an_inactive_row_stays_bit_for_bit(feed: Feed) -> None:
    with feed.half.session(2) as session:
        feed(session, 0, 6)
        before = {name: value.clone() for name, value in session._state.items()}
        feed(session, 6, 9, np.array([False, True]))
        for name, value in session._state.items():
            assert torch.equal(value[0], before[name][0]), name
        assert any(not torch.equal(value[1], before[name][1]) for name, value in session._state.items())


def test_a_clone_and_its_original_go_on_apart(feed: Feed) -> None:
    with feed.half.session(2) as session, feed.half.session(2) as whole:
        expected = feed(whole, 0, 10)
        step = expected.shape[-1] // 10
        feed(session, 0, 6)
        session.reset(np.array([False, True]))  # still to come in both
        twin = session.clone()
        feed(session, 20, 24)
        session.reset()
        got = feed(twin, 6, 10)
        close(got[0], expected[0, ..., 6 * step :])
        with feed.half.session(2) as fresh:
            close(got[1], feed(fresh, 6, 10)[1])
            close(feed(session, 0, 3), expected[..., : 3 * step])


def test_a_session_keeps_no_more_than_its_state(feed: Feed) -> None:
    """A state is the end of a chunk: as a view of it, it would keep all of the chunk in memory."""
    with feed.half.session(2) as session:
        feed(session, 0, 24)
        kept = sum(value.untyped_storage().nbytes() for value in session._state.values())
        assert kept < 2 * sum(value.nbytes for value in session._state.values())


def test_inactive_rows_give_absent_codes_and_silence(pair: Pair) -> None:
    encoder, decoder = pair
    active = np.array([True, False])
    with encoder.session(2) as encoding, decoder.session(2) as decoding:
        codes = encoding.encode(np.zeros((2, 2 * FRAME), np.float32), active)
        assert (codes[0] >= 0).all()
        assert (codes[1] == -1).all()
        assert not decoding.decode(codes, active)[1].any()


def test_numbers_that_are_none_are_counted_and_do_no_harm(pair: Pair) -> None:
    pcm = (0.2 * np.random.default_rng(1).standard_normal(4 * FRAME)).astype(np.float32)
    poisoned = pcm.copy()
    poisoned[[7, 4000]] = [np.nan, np.inf]
    with pair[0].session() as session, pair[0].session() as clean:
        session.encode(poisoned)
        assert session.nonfinite_samples == 2
        twin = session.clone()
        session.reset()
        assert (session.encode(pcm) == clean.encode(pcm)).all()
        assert twin.nonfinite_samples == 2


def test_the_device_is_the_one_that_was_named_or_an_error(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_torch_pair(CODEC, release, "cpu")[1].device == torch.device("cpu")
    for name in ("", "gpu", "cuda:x", "cuda:-1", "CPU", "cpu:1"):
        with pytest.raises(DeviceError, match="Unknown device"):
            torch_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert torch_device("auto") == torch.device("cpu")
    with pytest.raises(DeviceError, match="cuda was asked for but torch finds no GPU"):
        load_torch_encoder(CODEC, release, "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert torch_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(DeviceError, match="this machine has 2 GPUs"):
        torch_device("cuda:2")


def test_exact_arithmetic_on_a_gpu_is_put_back_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with exact_float32(torch.device("cuda", 0)):
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32
    with exact_float32(torch.device("cpu")):
        assert torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("codec", ["nano", CODEC])
def test_the_halves_may_be_on_two_devices(codec: str, release: Path) -> None:
    """nano has one quantiser: each half takes its own along."""
    loaded = load_torch_codec(codec, release if codec == CODEC else None)
    loaded.decoder.to("meta")
    assert {tensor.device.type for tensor in loaded.encoder.state_dict().values()} == {"cpu"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
def test_a_gpu_gives_what_the_processor_gives(release: Path, pair: Pair) -> None:
    on_gpu = load_torch_pair(CODEC, release, "cuda")
    for place in (0, 1):
        half, same = on_gpu[place], pair[place]
        feed = Feed(half)
        with half.session(2) as there, same.session(2) as here:
            feed(there, 0, 3, np.array([True, False]))
            feed(here, 0, 3, np.array([True, False]))
            close(feed(there, 3, 24), feed(here, 3, 24))
            twin = there.clone()
            there.reset()
            feed(there, 0, 2)
            close(feed(twin, 0, 4), feed(here, 0, 4))


def noise(frames: int, seed: int = 3) -> Samples:
    return (0.2 * np.random.default_rng(seed).standard_normal(frames * FRAME)).astype(np.float32)


def latents_of(encoder: TorchEncoder, pcm: Samples, size: int) -> tuple[Codes, NDArray[np.float32]]:
    """Codes [K, N] and latents [N, dim] of a stream in chunks of `size` frames."""
    codes, latents = [], []
    with encoder.session() as session:
        for first in range(0, len(pcm), size * FRAME):
            codes.append(session.encode(pcm[first : first + size * FRAME])[0])
            latents.append(session.latents[0].numpy())
    return np.concatenate(codes, axis=1), np.concatenate(latents)


def test_full_attention_is_the_window_until_the_window_is_full(release: Path, pair: Pair) -> None:
    full, pcm = load_torch_encoder(CODEC, release, full_attention=True), noise(160)
    codes, latents = latents_of(full, pcm, 160)
    windowed_codes, windowed = latents_of(pair[0], pcm, 160)
    assert (codes[:, :124] == windowed_codes[:, :124]).all()
    close(latents[:124], windowed[:124])
    assert np.abs(latents - windowed)[130:].max(axis=1).min() > 1e-3


@pytest.mark.parametrize("size", [1, 7, 100])
def test_full_attention_streams_as_in_one_pass(release: Path, size: int) -> None:
    full, pcm = load_torch_encoder(CODEC, release, full_attention=True), noise(140)
    codes, latents = latents_of(full, pcm, 140)
    streamed_codes, streamed = latents_of(full, pcm, size)
    close(streamed, latents)
    assert (codes == streamed_codes).all()


def test_full_attention_has_an_end_that_is_told_before_anything_is_lost(
    release: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        full = load_torch_encoder(CODEC, release, full_attention=True)
    assert caplog.text.count("full attention: the encoder sees everything") == 1
    assert full.max_frames == FULL_ATTENTION_S * 12.5
    full.max_frames = 6
    with full.session(2) as session:
        both = np.stack([noise(4, seed) for seed in (1, 2)])
        session.encode(both)
        session.reset(np.array([False, True]))
        twin = session.clone()
        for one in (session, twin):
            with pytest.raises(CodecError, match=r"at most 6 frames \(0 s\): cut the recording, or use the window"):
                one.encode(both)
        # The refused call took nothing: two frames still go, and the row that began anew has four.
        session.encode(both[:, : 2 * FRAME])
        session.encode(both[:, : 4 * FRAME], np.array([False, True]))
        with pytest.raises(CodecError):
            session.encode(both[:, :FRAME], np.array([False, True]))
        session.reset()
        session.encode(both)


def test_full_attention_is_for_the_torch_engine_of_qwen3_alone(release: Path) -> None:
    for attempt in ATTEMPTS:
        with pytest.raises(CodecError, match="Full attention"):
            attempt()
    assert isinstance(load_encoder(CODEC, model=release, engine="torch", full_attention=True), TorchEncoder)


ATTEMPTS: tuple[Callable[[], object], ...] = (
    lambda: load_torch_encoder("nano", None, full_attention=True),
    lambda: load_encoder("nano", full_attention=True),
)
