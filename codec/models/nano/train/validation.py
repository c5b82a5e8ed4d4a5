"""Scores on speakers that training never hears."""

from __future__ import annotations

import numpy as np
import torch

from codec.models.nano.model import Nano
from codec.models.nano.train.data import SpeechCorpus
from codec.models.nano.train.losses import MultiResolutionMelLoss

SEGMENTS = 12
SEGMENT_S = 3.2
PREFIXES = (4, 16)


@torch.no_grad()
def validate(
    model: Nano, corpus: SpeechCorpus, loss: MultiResolutionMelLoss, *, seed: int, quantised: bool
) -> dict[str, float]:
    """Mean spectral loss and STOI (where pystoi is installed) of the same segments each time, by number of layers."""
    rate, frame = model.config.sample_rate, model.config.frame_size
    length = round(SEGMENT_S * rate) // frame * frame
    device = next(model.parameters()).device
    pcm = corpus.batch(np.random.default_rng((seed, 1)), size=SEGMENTS, length=length).to(device)
    latent = model.encoder.offline(pcm)
    delay = model.config.delay_samples
    figures: dict[str, float] = {}
    for layers in PREFIXES if quantised else (0,):
        if layers:
            codes = model.quantizer.encode(latent, num_layers=layers)
            restored = model.quantizer.decode(codes)
        else:
            restored = model.quantizer.output_projection(model.quantizer.input_projection(latent))
        decoded = model.decoder.offline(restored)[:, delay:]
        source = pcm[:, :-delay]
        name = f"_{layers}_layers" if layers else "_unquantised"
        figures["loss" + name] = float(loss(decoded, source))
        score = _stoi(source.cpu().numpy(), decoded.cpu().numpy(), rate)
        if score is not None:
            figures["stoi" + name] = score
    return figures


def _stoi(source: np.ndarray, decoded: np.ndarray, rate: int) -> float | None:
    try:
        from pystoi import stoi
    except ImportError:
        return None
    return float(np.mean([stoi(a, b, rate) for a, b in zip(source, decoded, strict=True)]))
