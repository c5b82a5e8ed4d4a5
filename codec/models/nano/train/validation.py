"""Scores on speakers that training never hears."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from codec.models.nano.model import Nano
from codec.models.nano.train.data import SpeechCorpus
from codec.models.nano.train.losses import MultiResolutionMelLoss

SEGMENTS = 16
SEGMENT_S = 3.2
PREFIXES = (1, 4, 16)

Audio = NDArray[np.float32]


@torch.no_grad()
def validate(model: Nano, corpus: SpeechCorpus, loss: MultiResolutionMelLoss, *, seed: int) -> dict[str, float]:
    """Mean spectral loss and scores of the same segments each time, by number of layers."""
    rate, frame = model.config.sample_rate, model.config.frame_size
    length = round(SEGMENT_S * rate) // frame * frame
    device = next(model.parameters()).device
    pcm = corpus.batch(np.random.default_rng((seed, 1)), size=SEGMENTS, length=length).to(device)
    latent = model.encoder.offline(pcm)
    delay = model.config.delay_samples
    source = pcm[:, :-delay]
    scores = _scores(rate)
    figures: dict[str, float] = {}
    for layers in PREFIXES:
        codes = model.quantizer.encode(latent, num_layers=layers)
        decoded = model.decoder.offline(model.quantizer.decode(codes))[:, delay:]
        figures[f"loss_{layers}_layers"] = float(loss(decoded, source))
        pairs = list(zip(source.cpu().numpy(), decoded.cpu().numpy(), strict=True))
        for name, score in scores.items():
            values = [score(a, b) for a, b in pairs]
            figures[f"{name}_{layers}_layers"] = float(np.nanmean(values))
    return figures


def _scores(rate: int) -> dict[str, Callable[[Audio, Audio], float]]:
    """Those of the scores whose package is installed; each of source and decoded, NaN where there is no speech."""
    scores: dict[str, Callable[[Audio, Audio], float]] = {}
    try:
        from pystoi import stoi
    except ImportError:
        pass
    else:
        scores["stoi"] = lambda source, decoded: float(stoi(source, decoded, rate))
        scores["estoi"] = lambda source, decoded: float(stoi(source, decoded, rate, extended=True))
    try:
        from pesq import NoUtterancesError, pesq
    except ImportError:
        pass
    else:

        def quality(source: Audio, decoded: Audio) -> float:
            try:
                return float(pesq(rate, source, decoded, "wb"))
            except NoUtterancesError:
                return float("nan")

        scores["pesq"] = quality
    return scores
