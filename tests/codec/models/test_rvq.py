from __future__ import annotations

import pytest
import torch

from codec.models.layers import BandedResidualQuantizer, ResidualQuantizer, SplitResidualQuantizer


def quantizer(layers: int = 4, *, width: int | None = None) -> ResidualQuantizer:
    torch.manual_seed(5)
    made = ResidualQuantizer(num_layers=layers, codebook_size=64, dim=6, width=width)
    made.codebooks.normal_()
    # Each layer is finer than the one before, as trained ones are.
    made.codebooks *= 0.5 ** torch.arange(layers)[:, None, None]
    return made.requires_grad_(False)


def test_each_layer_takes_the_entry_nearest_to_what_is_left() -> None:
    rvq = quantizer()
    latent = torch.randn(2, 6, 5)
    residual = latent.transpose(1, 2)
    for layer, codes in enumerate(rvq.encode(latent).unbind(1)):
        distance = torch.cdist(residual, rvq.codebooks[layer].expand(2, -1, -1))
        torch.testing.assert_close(
            distance.gather(-1, codes[..., None])[..., 0], distance.amin(dim=-1), atol=1e-5, rtol=0
        )
        residual = residual - rvq.codebooks[layer][codes]


def test_every_prefix_decodes_and_more_layers_come_closer() -> None:
    rvq = quantizer()
    latent = torch.randn(1, 6, 200)
    codes = rvq.encode(latent)
    errors = [float((rvq.decode(codes[:, :k]) - latent).square().mean()) for k in range(1, 5)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0]


def test_a_missing_layer_adds_a_zero_vector_and_not_an_entry() -> None:
    rvq = quantizer(width=10)
    codes = rvq.encode(torch.randn(2, 10, 7))
    cut = codes.clone()
    cut[:, 2:] = -1
    torch.testing.assert_close(rvq.decode(cut), rvq.decode(codes[:, :2]))
    assert not torch.allclose(rvq.decode(cut), rvq.decode(codes.clamp(max=-1) + 1))


def test_rows_of_one_batch_may_have_different_numbers_of_layers() -> None:
    rvq = quantizer()
    codes = rvq.encode(torch.randn(2, 6, 3))
    codes[1, 1:] = -1
    decoded = rvq.decode(codes)
    torch.testing.assert_close(decoded[:1], rvq.decode(codes[:1]))
    torch.testing.assert_close(decoded[1:], rvq.decode(codes[1:, :1]))


def test_encoding_fewer_layers_gives_the_same_codes_for_those() -> None:
    rvq = quantizer()
    latent = torch.randn(1, 6, 9)
    assert torch.equal(rvq.encode(latent, num_layers=2), rvq.encode(latent)[:, :2])


def test_split_stacks_quantise_the_same_latent_and_add_up() -> None:
    first, rest = quantizer(1, width=10), quantizer(3, width=10)
    split = SplitResidualQuantizer([first, rest])
    latent = torch.randn(2, 10, 4)
    codes = split.encode(latent)
    assert codes.shape == (2, 4, 4)
    assert torch.equal(codes[:, :1], first.encode(latent))
    assert torch.equal(codes[:, 1:], rest.encode(latent))
    torch.testing.assert_close(split.decode(codes), first.decode(codes[:, :1]) + rest.decode(codes[:, 1:]))
    torch.testing.assert_close(split.decode(codes[:, :1]), first.decode(codes[:, :1]))
    torch.testing.assert_close(split.decode(codes[:, :3]), first.decode(codes[:, :1]) + rest.decode(codes[:, 1:3]))


def test_codes_without_a_layer_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one layer"):
        SplitResidualQuantizer([quantizer(1)]).decode(torch.zeros(1, 0, 3, dtype=torch.int64))


def test_entries_that_are_written_anew_are_searched_as_they_are() -> None:
    """What is kept of the codebooks between two searches goes when they change, in place or as another tensor."""
    stack = quantizer(2).eval()
    latent = torch.randn(1, 6, 9)
    for turn in range(3):
        changed = torch.randn_like(stack.codebooks) * (1.0 + torch.arange(64.0)[:, None])
        if turn == 1:
            stack.codebooks = changed
        else:
            with torch.inference_mode():
                stack.codebooks.copy_(changed)
        residual = stack.project(latent)[0]
        distance = torch.cdist(residual, stack.codebooks[0])
        assert torch.equal(stack.encode(latent)[0, 0], distance.argmin(dim=-1))


def banded() -> BandedResidualQuantizer:
    """Layers in bands 0, 1, 0 and 2 of a latent of 12 numbers."""
    torch.manual_seed(6)
    made = BandedResidualQuantizer(bands=(0, 1, 0, 2), codebook_size=32, dim=4).eval()
    made.codebooks.normal_()
    made.codebooks[2] *= 0.5
    return made


def test_a_layer_codes_its_band_and_no_other() -> None:
    rvq = banded()
    latent = torch.randn(2, 5, 12)
    codes = rvq.encode(latent)
    for layer, band in enumerate(rvq.bands):
        elsewhere = latent.clone()
        elsewhere[..., [i for i in range(12) if i // 4 != band]] += torch.randn(2, 5, 8)
        assert torch.equal(rvq.encode(elsewhere)[:, layer], codes[:, layer])
        alone = torch.full_like(codes, -1)
        alone[:, layer] = codes[:, layer]
        added = rvq.decode(alone)
        torch.testing.assert_close(added[..., rvq.band(layer)], rvq.codebooks[layer][codes[:, layer]])
        assert added.count_nonzero() == added[..., rvq.band(layer)].count_nonzero() > 0


def test_layers_of_one_band_are_a_residual_stack_of_their_own() -> None:
    rvq = banded()
    latent = torch.randn(2, 5, 12)
    stack = ResidualQuantizer(num_layers=2, codebook_size=32, dim=4).eval()
    stack.codebooks.copy_(rvq.codebooks[[0, 2]])
    expected = stack.encode(latent[..., :4].transpose(1, 2))
    assert torch.equal(rvq.encode(latent)[:, [0, 2]], expected)
    torch.testing.assert_close(rvq.decode(rvq.encode(latent))[..., :4], stack.decode(expected).transpose(1, 2))


def test_any_prefix_of_the_bands_decodes_and_a_missing_layer_adds_nothing() -> None:
    rvq = banded()
    latent = torch.randn(1, 200, 12)
    codes = rvq.encode(latent)
    errors = []
    for layers in range(1, 5):
        cut = codes.clone()
        cut[:, layers:] = -1
        decoded = rvq.decode(codes[:, :layers])
        assert decoded.shape == latent.shape
        torch.testing.assert_close(rvq.decode(cut), decoded)
        assert torch.equal(rvq.encode(latent, num_layers=layers), codes[:, :layers])
        errors.append(float((decoded - latent).square().mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0]


def test_the_entries_of_a_banded_stack_add_up_to_what_it_decodes() -> None:
    rvq = banded()
    codes = rvq.encode(torch.randn(1, 1, 12))
    total = torch.stack([rvq.entry(layer, int(code)) for layer, code in enumerate(codes[0, :, 0])]).sum(dim=0)
    torch.testing.assert_close(total, rvq.decode(codes)[0, 0])
