"""What training puts in place by computation: pitch tracker, detail of the latent, first codebooks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from codec.models.checkpoint import load_checkpoint
from codec.models.nano.config import PITCH_LAYER
from codec.models.nano.model import Nano
from codec.models.nano.train.codebooks import CodebookLearner
from codec.models.nano.train.losses import LoudnessLoss, MultiResolutionMelLoss

STRONGEST = 4.0
"""Deviation of the strongest component of what the network says."""
PROBES = 120
"""Batches that are traced back to measure what is heard."""
PROBE_WINDOW = 512
PROBE_LOUDNESS = 1e4
"""Brings a signal of level 1 to the listening level of the loudness loss, roughly."""
DETAIL_SCALE = 0.25
"""Of the components of detail: the strongest then has a deviation of about a half."""


@torch.no_grad()
def begin_quantising(model: Nano, learner: CodebookLearner, batches: Iterable[Tensor]) -> None:
    """Give a model that has learned to speak without a quantiser (`learned_dim` numbers a frame) its whole latent.

    What the network says is turned into its principal components, seen as the decoder's first layer sees them, so that
    bands of it are of falling weight. Then come the components of what is left of the log-mel patches (of `batches`,
    pcm [B, T]) once the rest is known; the decoder's map of them begins without a say. The codebooks are k-means of
    all that. Decoded sound is the same before and after, the codebooks aside.
    """
    said, patches = (torch.cat(part).double() for part in zip(*(_frames(model, pcm) for pcm in batches), strict=True))
    said = _turn(model, said)
    encoder, decoder, learned = model.encoder, model.decoder, model.config.learned_dim
    ones = torch.cat([said, torch.ones_like(said[:, :1])], dim=1)
    solution = torch.linalg.lstsq(ones, patches).solution
    known, rest = solution[:-1], solution[-1]
    left = patches - ones @ solution
    _, vectors = torch.linalg.eigh(torch.cov(left.t()))
    components = vectors.flip(1)[:, : model.config.latent_dim - learned]
    bias = encoder.patch.bias[:learned].double()
    heard = encoder.project.weight[:learned].double()
    encoder.patch.weight.zero_()
    encoder.patch.weight[learned:] = DETAIL_SCALE * components.t()
    encoder.patch.bias[learned:] = -DETAIL_SCALE * (rest + bias @ known) @ components
    encoder.project.weight[learned:] = -DETAIL_SCALE * (known @ components).t() @ heard
    decoder.patch.weight[:, :learned] = known.t()
    decoder.patch.weight[:, learned:] = components / DETAIL_SCALE
    decoder.patch.bias.copy_(rest)
    decoder.first.weight[:, learned:] = 0.0
    decoder.join.weight.zero_()
    learner.begin(torch.cat([said, DETAIL_SCALE * left @ components], dim=1).float())


def _frames(model: Nano, pcm: Tensor) -> tuple[Tensor, Tensor]:
    """What the network says [M, learned_dim] and the log-mel patches [M, hops * num_mels] of the frames of pcm [B, T].

    The first frame of each row is left out: it has seen silence before the speech.
    """
    mel = model.encoder.mel(model.encoder.frontend.offline(pcm)).transpose(1, 2)
    patches = mel.reshape(len(pcm), -1, model.config.hops * mel.shape[-1])
    sound = model.quantizer.split(model.quantizer.project(model.encoder.offline(pcm))).sound
    return sound[:, 1:, : model.config.learned_dim].flatten(0, 1), patches[:, 1:].flatten(0, 1)


def _turn(model: Nano, said: Tensor) -> Tensor:
    """Turn what the network says [M, learned_dim] into principal components, in the weights and in `said`."""
    encoder, first, learned = model.encoder, model.decoder.first, model.config.learned_dim
    kernels = first.weight[:, :learned].double()
    seen = torch.einsum("odk,oek->de", kernels, kernels)
    mean, forwards, _ = _components(said, seen, ridge=1e-6)
    backwards = torch.linalg.inv(forwards)
    encoder.project.weight[:learned] = forwards.t() @ encoder.project.weight[:learned].double()
    encoder.patch.bias[:learned] = (encoder.patch.bias[:learned].double() - mean) @ forwards
    assert first.bias is not None
    first.bias += torch.einsum("odk,d->o", kernels, mean)
    first.weight[:, :learned] = torch.einsum("odk,ed->oek", kernels, backwards)
    turned: Tensor = (said - mean) @ forwards
    return turned


def _components(samples: Tensor, metric: Tensor, *, ridge: float) -> tuple[Tensor, Tensor, Tensor]:
    """Principal components of samples [M, D] where `metric` [D, D] says which distances count.

    Returns their mean [D], the matrix [D, D] that takes what is left of it to components, the strongest first and of
    deviation STRONGEST, and the components' variances [D]. `ridge`: the share of the metric's mean diagonal that is
    added to it, for directions that hardly count.
    """
    metric = metric + ridge * metric.diagonal().mean() * torch.eye(
        len(metric), dtype=metric.dtype, device=metric.device
    )
    root = torch.linalg.cholesky(metric)
    mean = samples.mean(dim=0)
    values, vectors = torch.linalg.eigh(torch.cov(((samples - mean) @ root).t()))
    scale = STRONGEST / values[-1].sqrt()
    return mean, scale * root @ vectors.flip(1), (values * scale.square()).flip(0)


@torch.no_grad()
def leave_out_patches(model: Nano) -> None:
    """Neither half knows of the log-mel patches while the latent is not quantised: `begin_quantising` adds them."""
    model.encoder.patch.weight.zero_()
    model.decoder.join.weight.zero_()


def turn_latent(
    model: Nano, learner: CodebookLearner, batches: Iterable[Tensor], *, loss: MultiResolutionMelLoss, ear: LoudnessLoss
) -> Tensor:
    """Turn the whole latent into its principal components as they are heard, and make new codebooks of them.

    How strongly a number of the latent is heard is measured: random mixtures of what the losses look at (log-mel
    magnitudes, loudness) are traced back through the decoder, and the mean product of their gradients is the metric in
    which distances of latents are distances of sounds, to first order. Rounding errors of equal size in all components
    then cost equally much, which is what a codebook's mean square error assumes (transform coding: Goyal, 2001).
    Decoded sound is the same before and after, the codebooks aside. Returns the variances of the components, the
    strongest first: what `NanoConfig.bands` shares out.
    """
    size, device = model.config.latent_dim, model.encoder.patch.weight.device
    sounds, heard = [], torch.zeros(size, size, dtype=torch.float64, device=device)
    for index, pcm in enumerate(batches):
        with torch.no_grad():
            latent = model.encoder.offline(pcm)
            parts = model.quantizer.split(model.quantizer.project(latent))
        sounds.append(parts.sound[:, 1:].flatten(0, 1))
        if index < PROBES:
            gradient = _probe(model, latent, parts.sound, loss=loss, ear=ear)[:, 1:].flatten(0, 1).double()
            heard += gradient.t() @ gradient / len(gradient)
    sound = torch.cat(sounds).double()
    with torch.no_grad():
        return _turn_by(model, learner, sound, heard)


def _probe(model: Nano, latent: Tensor, sound: Tensor, *, loss: MultiResolutionMelLoss, ear: LoudnessLoss) -> Tensor:
    """Gradient [B, T, latent_dim] of one random mixture of what is heard of `sound`."""
    sound = sound.clone().requires_grad_()
    pitch = model.quantizer.pitch(model.quantizer.encode(latent, num_layers=PITCH_LAYER + 1))
    decoded = model.decoder.offline(torch.cat([sound, pitch], dim=-1).transpose(1, 2))
    level = decoded.detach().square().mean(dim=1, keepdim=True).sqrt().clamp(min=1e-3)
    parts = [loss.mel(decoded, PROBE_WINDOW).clamp(min=1e-4).log()]
    # At one listening level, as the loss has it.
    parts.append(ear.loudness(ear.powers(decoded / level) * PROBE_LOUDNESS))
    mixture = sum((part * torch.randn_like(part)).sum() for part in parts)
    assert isinstance(mixture, Tensor)
    (gradient,) = torch.autograd.grad(mixture, sound)
    return gradient


def _turn_by(model: Nano, learner: CodebookLearner, sound: Tensor, heard: Tensor) -> Tensor:
    """Change the coordinates of the latent, of which `sound` [M, latent_dim] are samples, by the metric `heard`."""
    encoder, decoder = model.encoder, model.decoder
    mean, forwards, variances = _components(sound, heard, ridge=1e-5)
    backwards = torch.linalg.inv(forwards)
    encoder.project.weight.copy_(forwards.t() @ encoder.project.weight.double())
    encoder.patch.weight.copy_(forwards.t() @ encoder.patch.weight.double())
    encoder.patch.bias.copy_((encoder.patch.bias.double() - mean) @ forwards)
    decoder.patch.bias.add_(decoder.patch.weight @ mean.float())
    decoder.patch.weight.copy_(decoder.patch.weight.double() @ backwards.t())
    first = decoder.first
    assert first.bias is not None
    first.bias += torch.einsum("odk,d->o", first.weight.double(), mean).float()
    first.weight.copy_(torch.einsum("odk,ed->oek", first.weight.double(), backwards))
    learner.begin(((sound - mean) @ forwards).float())
    return variances


def begin_with_pitch(model: Nano, folder: Path) -> None:
    """Take the pitch tracker and its contours from a checkpoint of `train.pitch`. Raises CheckpointError."""
    tensors, _ = load_checkpoint(folder)
    prefix = "tracker."
    tracker = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    model.encoder.tracker.load_state_dict(tracker)
    model.quantizer.contour_codebooks.copy_(tensors["contours"])
