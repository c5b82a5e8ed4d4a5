"""How far two engines' results are apart, by the codec's rules: near-ties of the search are counted, not hidden."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from codec.models.half import Quantizer
from codec.models.ties import is_tie
from export.parity import TOLERANCE, most_exempt


@dataclass(frozen=True, slots=True)
class Agreement:
    """One comparison. `largest` is of audio, or of latents; the codes' part is 0 where there were none."""

    frames: int
    largest: float
    differing: int = 0
    """Frames with any other code."""
    ties: int = 0
    """Those of them in which the first other code was as near as the expected one."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def require(self) -> None:
        """Raises AssertionError where the two are not the same codec."""
        # "not within" instead of "beyond": a NaN is no agreement.
        assert self.largest <= TOLERANCE, f"largest difference {self.largest:.2e}, allowed is {TOLERANCE}"
        unexplained = self.differing - self.ties
        assert unexplained == 0, f"{unexplained} of {self.frames} frames have other codes, and not because of near-ties"
        # One among a few frames says nothing about the share; over all cases it is looked at again.
        allowed = max(1.0, most_exempt(self.frames))
        assert self.ties <= allowed, f"{self.ties} of {self.frames} frames are near-ties, allowed are {allowed:.1f}"


def compare_audio(ours: NDArray[Any], theirs: NDArray[Any], *, frame_size: int) -> Agreement:
    """Samples [B, N * frame_size] against samples of the same shape; AssertionError where the shapes differ."""
    assert ours.shape == theirs.shape, f"ours are {ours.shape} samples, theirs {theirs.shape}"
    return Agreement(frames=ours.size // frame_size, largest=float(np.abs(ours - theirs).max()))


def compare_codes(
    quantizer: Quantizer,
    *,
    codes: NDArray[Any],
    latents: NDArray[Any],
    their_codes: NDArray[Any],
    their_latents: NDArray[Any],
) -> Agreement:
    """Codes [B, K, N] and what was quantised, latents [B, N, dim] as `quantizer.project` gives them, against theirs."""
    assert codes.shape == their_codes.shape, f"ours are {codes.shape} codes, theirs {their_codes.shape}"
    differing = np.argwhere((codes != their_codes).any(axis=1))
    ties = sum(
        is_tie(quantizer, torch.from_numpy(their_latents[row, frame]), codes[row, :, frame], their_codes[row, :, frame])
        for row, frame in differing
    )
    return Agreement(
        frames=codes.shape[0] * codes.shape[2],
        largest=float(np.abs(latents - their_latents).max()),
        differing=len(differing),
        ties=ties,
    )
