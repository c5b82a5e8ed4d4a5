"""The stages of a run."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """Each begins with a computation (`beginning`), and then learns something else."""

    SPEAKING = 0
    """Reconstruction without a quantiser: `learned_dim` numbers a frame."""
    QUANTISED = 1
    """The whole latent, quantised; the encoder moves slowly, for the codebooks have to follow it."""
    TURNED = 2
    """The latent in components as they are heard, with new codebooks; the encoder is held, the decoder learns on."""
