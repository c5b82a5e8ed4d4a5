"""Near-ties of the search in the codebooks: where two engines may choose other codes and both be right."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from codec.models.half import Quantizer
from codec.models.layers import ResidualQuantizer, SplitResidualQuantizer
from codec.models.nano.config import PITCH_LAYER
from codec.models.nano.quantizer import NanoQuantizer
from codec.session import Codes

TIE = 1e-5
"""Entries between which a move of the latent by this share of its length decides may change places."""


def is_tie(quantizer: Quantizer, latent: Tensor, ours: Codes, theirs: Codes) -> bool:
    """Whether two code columns [K] of one frame differ only because entries were equally near to its `latent`.

    `latent` [dim] is what `quantizer.project` gave for the frame, of all stacks one beside another. In each stack the
    first layer that differs must have had two entries equally near; the later ones then code another residual. A
    stack's codes say nothing of another's, which codes the same latent.
    """
    verdicts = {_first_is_tie(*part) for part in _stacks(quantizer, latent, ours, theirs)}
    if isinstance(quantizer, NanoQuantizer):
        verdicts.add(_contours_tie(quantizer, latent, int(ours[PITCH_LAYER]), int(theirs[PITCH_LAYER])))
    return True in verdicts and False not in verdicts


def _stacks(
    quantizer: Quantizer, latent: Tensor, ours: Codes, theirs: Codes
) -> Iterator[tuple[ResidualQuantizer, Tensor, Codes, Codes]]:
    """Each stack of the quantiser with its part of the latent and of the codes."""
    if isinstance(quantizer, NanoQuantizer):
        sound = quantizer.split(latent).sound
        yield quantizer.sound, sound, np.delete(ours, PITCH_LAYER), np.delete(theirs, PITCH_LAYER)
        return
    assert isinstance(quantizer, ResidualQuantizer | SplitResidualQuantizer)
    stacks = [quantizer] if isinstance(quantizer, ResidualQuantizer) else list(quantizer.stacks)
    dim = layer = 0
    for stack in stacks:
        assert isinstance(stack, ResidualQuantizer)
        layers = slice(layer, layer + stack.num_layers)
        yield stack, latent[dim : dim + stack.dim], ours[layers], theirs[layers]
        dim, layer = dim + stack.dim, layer + stack.num_layers


def _first_is_tie(stack: ResidualQuantizer, latent: Tensor, ours: Codes, theirs: Codes) -> bool | None:
    """Of one stack: None where the columns are equal, else whether the first difference is one of equally near entries.

    Equally: moving the latent by TIE of its own length reverses which is nearer. Float32 resolves a latent relative to
    its length, not to the small residual of the last layers.
    """
    residual = latent.double()
    reach = TIE * residual.norm()
    for layer, (a, b) in enumerate(zip(ours.tolist(), theirs.tolist(), strict=True)):
        first, second = stack.entry(layer, a).cpu().double(), stack.entry(layer, b).cpu().double()
        if a != b:
            gap = (residual - first).square().sum() - (residual - second).square().sum()
            return bool(gap.abs() <= 2 * reach * (first - second).norm())
        residual = residual - first
    return None


def _contours_tie(quantizer: NanoQuantizer, latent: Tensor, ours: int, theirs: int) -> bool | None:
    """The same of nano's pitch, whose points count as they are voiced."""
    if ours == theirs:
        return None
    parts = quantizer.split(latent.double())
    lowest = quantizer.config.pitch.lowest_hz
    first, second = ((quantizer.contour_codebooks[code].cpu().double() / lowest).log2() for code in (ours, theirs))
    gap = (parts.voicing * ((parts.octaves - first).square() - (parts.octaves - second).square())).sum()
    # Octaves and voicing may each move by TIE of their own size.
    by_octaves = 2.0 * (parts.voicing * parts.octaves * (first - second)).abs().sum()
    by_voicing = (parts.voicing * ((parts.octaves - first).square() - (parts.octaves - second).square()).abs()).sum()
    return bool(gap.abs() <= TIE * (by_octaves + by_voicing))
