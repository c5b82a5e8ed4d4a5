from __future__ import annotations

import numpy as np
import pytest
import torch

from codec.models.half import DecoderHalf, EncoderHalf
from codec.models.nano import Nano, NanoConfig
from codec.models.nano.config import PitchConfig
from codec.models.nano.excitation import Harmonics
from codec.models.nano.weights import nano_spec
from codec.models.session import TorchDecoder, TorchEncoder

SMALL = NanoConfig(
    widths=(32, 32, 64, 64),
    decoder_widths=(64, 64, 32, 32),
    head_dim=32,
    codebook_dim=8,
    learned_dim=16,
    pitch=PitchConfig(width=16, depth=1),
)


@pytest.fixture(scope="module")
def nano() -> Nano:
    torch.manual_seed(1)
    model = Nano(SMALL).eval().requires_grad_(False)
    model.quantizer.sound.codebooks.normal_()
    model.quantizer.contour_codebooks.uniform_(60.0, 400.0)
    return model


@pytest.fixture(scope="module")
def encoder(nano: Nano) -> TorchEncoder:
    spec = nano_spec(nano.state_dict(), version="nano-1", config=SMALL)
    return TorchEncoder(EncoderHalf(nano.encoder, nano.quantizer), spec)


@pytest.fixture(scope="module")
def decoder(nano: Nano) -> TorchDecoder:
    spec = nano_spec(nano.state_dict(), version="nano-1", config=SMALL)
    return TorchDecoder(DecoderHalf(nano.decoder, nano.quantizer), spec)


def test_the_released_shape_is_16_layers_of_2048_at_12_and_a_half_hertz() -> None:
    config = NanoConfig()
    spec = nano_spec({}, version="nano-1", config=config)
    assert (spec.sample_rate, spec.frame_size, spec.num_layers, spec.codebook_size) == (16_000, 1280, 16, 2048)
    assert spec.frame_rate == 12.5
    assert spec.bit_rate == 2200
    assert spec.delay_samples == 480


def test_codes_have_one_column_a_frame_and_audio_comes_back_whole(nano: Nano) -> None:
    codes = nano.encode(0.1 * torch.randn(2, 5 * 1280))
    assert codes.shape == (2, 16, 5)
    assert codes.dtype == torch.int64
    pcm = nano.decode(codes)
    assert pcm.shape == (2, 5 * 1280)
    assert pcm.abs().max() <= 1.0


def test_the_latent_ends_with_the_pitch_and_the_voicing_hop_by_hop(nano: Nano) -> None:
    pcm = 0.1 * torch.randn(2, 3 * 1280)
    magnitudes = nano.encoder.frontend.offline(pcm)
    octaves, voicing = nano.encoder.reading(nano.encoder.tracker.offline(magnitudes))
    parts = nano.quantizer.split(nano.quantizer.project(nano.encoder.offline(pcm)))
    assert parts.sound.shape == (2, 3, SMALL.latent_dim)
    torch.testing.assert_close(parts.octaves.flatten(1), octaves)
    torch.testing.assert_close(parts.voicing.flatten(1), voicing)


def test_the_decoder_speaks_at_the_pitch_of_the_codes_hop_after_hop() -> None:
    model = Nano(SMALL).eval().requires_grad_(False)
    model.quantizer.contour_codebooks.uniform_(60.0, 400.0)
    shape = model.decoder.head.shape
    bins = SMALL.synthesis_window // 2 + 1
    shape.weight.zero_()
    shape.bias.fill_(0.0)
    shape.bias[: 2 * bins] = torch.tensor([-4.0, -100.0]).repeat_interleave(bins)
    codes = torch.randint(2048, (1, 16, 5))
    pcm = model.decode(codes)
    pitch = model.quantizer.contour_codebooks[codes[:, 1]].flatten(1)
    wave = Harmonics(hop=SMALL.hop, sample_rate=SMALL.sample_rate).offline(pitch)
    late = SMALL.delay_samples - SMALL.lookahead
    torch.testing.assert_close(pcm[:, late:], torch.tensor(-4.0).exp() * wave[:, :-late], atol=1e-5, rtol=0)


def test_sessions_give_what_one_pass_gives(nano: Nano, encoder: TorchEncoder, decoder: TorchDecoder) -> None:
    pcm = (0.1 * np.random.default_rng(2).standard_normal((2, 12 * 1280))).astype(np.float32)
    whole = nano.encode(torch.from_numpy(pcm)).numpy()
    with encoder.session(2) as session:
        codes = np.concatenate([session.encode(pcm[:, at : at + 1280]) for at in range(0, pcm.shape[1], 1280)], axis=2)
    np.testing.assert_array_equal(codes, whole)
    audio = nano.decode(torch.from_numpy(whole)).numpy()
    with decoder.session(2) as session:
        parts = [session.decode(whole[:, :, at : at + 4]) for at in range(0, 12, 4)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), audio, atol=1e-4)


def test_a_session_resets_one_row_and_spares_inactive_ones(encoder: TorchEncoder) -> None:
    rng = np.random.default_rng(3)
    first, second = (0.1 * rng.standard_normal((2, 3 * 1280)).astype(np.float32) for _ in range(2))
    with encoder.session(2) as session:
        session.encode(first)
        session.encode(second, np.array([True, False]))
        session.reset(np.array([True, False]))
        codes = session.encode(second)
    with encoder.session(1) as session:
        fresh = session.encode(second[:1])
    with encoder.session(1) as session:
        session.encode(first[1:])
        continued = session.encode(second[1:])
    np.testing.assert_array_equal(codes[:1], fresh)
    np.testing.assert_array_equal(codes[1:], continued)


def test_inactive_rows_give_no_codes_and_no_sound(encoder: TorchEncoder, decoder: TorchDecoder) -> None:
    active = np.array([True, False])
    with encoder.session(2) as session:
        assert (session.encode(np.zeros((2, 1280), np.float32), active)[1] == -1).all()
    with decoder.session(2) as session:
        assert not session.decode(np.ones((2, 16, 1), np.int64), active)[1].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_bad_samples_are_counted_and_forgotten(encoder: TorchEncoder, bad: float) -> None:
    rng = np.random.default_rng(4)
    pcm = (0.1 * rng.standard_normal((1, 40 * 1280))).astype(np.float32)
    spoiled = pcm.copy()
    spoiled[0, 100:900] = bad
    with encoder.session() as session:
        clean = session.encode(pcm)
    with encoder.session() as session:
        codes = session.encode(spoiled)
        assert session.nonfinite_samples == 800
    # The attention sees 16 frames back, the convolutions a few more at their coarser rates: then nothing is left of it.
    assert (codes[:, :, 0] != clean[:, :, 0]).any()
    assert (codes[:, :, 32:] == clean[:, :, 32:]).mean() > 0.99


def test_nan_inside_the_graph_does_not_reach_the_next_frames(nano: Nano) -> None:
    pcm = torch.full((1, 1280), float("nan"))
    y, state = nano.encoder(pcm, nano.encoder.initial_state(1))
    assert torch.isfinite(y).all()
    assert all(torch.isfinite(value).all() for value in state.values() if value.is_floating_point())


def test_any_prefix_of_the_layers_decodes(decoder: TorchDecoder) -> None:
    codes = np.random.default_rng(5).integers(0, 2048, (1, 16, 4))
    sounds = []
    for layers in (1, 4, 8, 16):
        with decoder.session() as session:
            sounds.append(session.decode(codes[:, :layers]))
    assert all(np.isfinite(sound).all() and sound.any() for sound in sounds)
    assert not np.allclose(sounds[0], sounds[-1])
