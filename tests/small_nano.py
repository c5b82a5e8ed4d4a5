"""A nano of toy size."""

from __future__ import annotations

import torch

from codec.models.checkpoint import rounded_to_half
from codec.models.factory import TorchCodec
from codec.models.half import DecoderHalf, EncoderHalf
from codec.models.nano import Nano, NanoConfig
from codec.models.nano.config import PitchConfig
from codec.models.nano.weights import nano_spec

SMALL = NanoConfig(
    widths=(32, 32, 64, 64),
    depths=(1, 1, 1, 1),
    decoder_widths=(64, 64, 32, 32),
    decoder_depths=(1, 1, 1, 1),
    head_dim=32,
    codebook_dim=8,
    pitch=PitchConfig(lags=32, low_bins=16, width=32, depth=1),
)


def make_small_nano() -> TorchCodec:
    """Every weight is its own, the same each time, and rounded as the export wants it."""
    torch.manual_seed(6)
    model = Nano(SMALL).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    model.quantizer.sound.codebooks.normal_()
    model.quantizer.contour_codebooks.uniform_(80.0, 320.0)
    model.quantizer.usual_codebooks.uniform_(80.0, 320.0)
    model.load_state_dict(rounded_to_half(model.state_dict()))
    spec = nano_spec(model.state_dict(), version="nano-1", config=SMALL)
    return TorchCodec(EncoderHalf(model.encoder, model.quantizer), DecoderHalf(model.decoder, model.quantizer), spec)
