from __future__ import annotations

import pytest
import torch
from torch import Tensor

from codec.models.nano.config import PITCH_LAYER, NanoConfig
from codec.models.nano.quantizer import USUAL_HZ, NanoQuantizer

CONFIG = NanoConfig(num_layers=4, codebook_size=32, codebook_dim=4, bands=(0, 1, 0), learned_dim=4)


def quantizer() -> NanoQuantizer:
    """Codebooks that say something: pitches from 60 to 400 Hz, usual ones from 100 to 250."""
    torch.manual_seed(8)
    made = NanoQuantizer(CONFIG).eval()
    made.sound.codebooks.normal_()
    made.contour_codebooks.uniform_(60.0, 400.0)
    made.usual_codebooks.uniform_(100.0, 250.0)
    return made


def latent(made: NanoQuantizer, contours: Tensor, *, voicing: float = 1.0) -> Tensor:
    """Any sound, with the contours [B, T] of the codebook, [B, latent_dim + 2 * hops, T]."""
    octaves = (made.contour_codebooks[contours] / CONFIG.pitch.lowest_hz).log2()
    sound = torch.randn(*contours.shape, CONFIG.latent_dim)
    return torch.cat([sound, octaves, torch.full_like(octaves, voicing)], dim=-1).transpose(1, 2)


def test_the_pitch_is_the_second_layer_and_comes_back_bit_for_bit() -> None:
    made = quantizer()
    contours = torch.randint(32, (2, 9))
    codes = made.encode(latent(made, contours))
    assert codes.shape == (2, 4, 9)
    assert torch.equal(codes[:, PITCH_LAYER], contours)
    decoded = made.decode(codes).transpose(1, 2)
    assert decoded.shape == (2, 9, CONFIG.latent_dim + CONFIG.hops)
    assert torch.equal(decoded[..., CONFIG.latent_dim :], made.contour_codebooks[contours])


def test_the_other_layers_are_the_sound() -> None:
    made = quantizer()
    x = latent(made, torch.randint(32, (2, 9)))
    codes = made.encode(x)
    sound = made.split(made.project(x)).sound
    assert torch.equal(codes[:, [0, 2, 3]], made.sound.encode(sound))
    torch.testing.assert_close(
        made.decode(codes).transpose(1, 2)[..., : CONFIG.latent_dim], made.sound.decode(codes[:, [0, 2, 3]])
    )


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_fewer_layers_are_a_prefix_of_all(layers: int) -> None:
    made = quantizer()
    x = latent(made, torch.randint(32, (2, 9)))
    codes = made.encode(x)
    assert torch.equal(made.encode(x, num_layers=layers), codes[:, :layers])
    cut = codes.clone()
    cut[:, layers:] = -1
    torch.testing.assert_close(made.decode(cut), made.decode(codes[:, :layers]))


def test_one_layer_alone_gets_the_usual_pitch_of_its_sound_on_a_level_line() -> None:
    made = quantizer()
    codes = made.encode(latent(made, torch.randint(32, (2, 9))))
    expected = made.usual_codebooks[codes[:, 0]][..., None].expand(-1, -1, CONFIG.hops)
    assert torch.equal(made.pitch(codes[:, :1]), expected)
    without = codes.clone()
    without[:, PITCH_LAYER:] = -1
    assert torch.equal(made.pitch(without), expected)
    # Frame by frame: the one that lost its layers is alone in it.
    codes[0, PITCH_LAYER:, 4] = -1
    pitch = made.pitch(codes)
    assert torch.equal(pitch[0, 4], expected[0, 4])
    assert torch.equal(pitch[0, 5], made.contour_codebooks[codes[0, PITCH_LAYER, 5]])


def test_no_layer_at_all_still_has_a_pitch_that_a_voice_can_have() -> None:
    made = quantizer()
    decoded = made.decode(torch.full((1, 4, 2), -1))
    assert not decoded[:, : CONFIG.latent_dim].any()
    assert (decoded[:, CONFIG.latent_dim :] > 50.0).all()


@pytest.mark.parametrize("voicing", [1.0, 1e-5])
def test_contours_that_are_nearly_alike_are_told_apart(voicing: float) -> None:
    """In float32 the rounding of their squares would choose."""
    made = quantizer()
    made.contour_codebooks.copy_(400.0 * torch.exp2(5e-4 * torch.arange(32.0))[:, None])
    contours = torch.arange(32)[None]
    assert torch.equal(made.encode(latent(made, contours, voicing=voicing))[:, PITCH_LAYER], contours)


def test_a_new_quantizer_speaks_at_the_usual_pitch() -> None:
    made = NanoQuantizer(CONFIG)
    assert torch.unique(made.pitch(torch.zeros(1, 4, 1, dtype=torch.int64))).tolist() == [USUAL_HZ]
    assert set(made.state_dict()) == {"contour_codebooks", "usual_codebooks", "sound.codebooks"}
