"""What is put in place by computation, on a nano of toy size that has learned nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from codec.errors import CheckpointError
from codec.models.checkpoint import save_checkpoint
from codec.models.nano.config import NanoConfig, PitchConfig
from codec.models.nano.model import Nano
from codec.models.nano.pitch import PitchTracker
from codec.models.nano.quantizer import Latent
from codec.models.nano.train.beginning import (
    DETAIL_SCALE,
    STRONGEST,
    begin_quantising,
    begin_with_pitch,
    leave_out_patches,
    turn_latent,
)
from codec.models.nano.train.codebooks import CodebookLearner
from codec.models.nano.train.losses import LoudnessLoss, MultiResolutionMelLoss

CONFIG = NanoConfig(
    num_mels=20,
    num_layers=5,
    codebook_size=32,
    codebook_dim=8,
    bands=(0, 1, 0, 2),
    learned_dim=8,
    widths=(16, 16, 32, 32),
    decoder_widths=(32, 32, 16, 16),
    head_dim=16,
    pitch=PitchConfig(lags=16, low_bins=8, width=16, depth=1),
)


@pytest.fixture(scope="module")
def batches() -> list[Tensor]:
    """Noise whose colour and level change, as in speech: 4 batches of 4 rows of 12 frames."""
    torch.manual_seed(1)
    noise = torch.randn(4, 4, 12 * 1280)
    coloured = noise + 2.0 * (torch.rand(4, 4, 1) - 0.5) * noise.roll(1, dims=-1)
    swell = torch.rand(4, 4, 12).repeat_interleave(1280, dim=-1)
    return list(0.3 * coloured * swell)


def untaught() -> Nano:
    torch.manual_seed(2)
    model = Nano(CONFIG).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    leave_out_patches(model)
    return model


def parts_of(model: Nano, pcm: Tensor) -> Latent:
    return model.quantizer.split(model.quantizer.project(model.encoder.offline(pcm)))


def sound_of(model: Nano, sound: Tensor) -> Tensor:
    """What the decoder makes of sound [B, T, latent_dim] in the middle of a stream, at a level pitch: from frame 2 on.

    The two frames before are what its first convolution has seen.
    """
    pitch = torch.full((*sound.shape[:2], CONFIG.hops), 140.0)
    x = torch.cat([sound, pitch], dim=-1).transpose(1, 2)
    state = model.decoder.initial_state(len(x))
    state["first.previous"] = x[:, : CONFIG.latent_dim, :2]
    pcm: Tensor = model.decoder(x[..., 2:], state)[0]
    return pcm


def begun(batches: list[Tensor]) -> tuple[Nano, CodebookLearner]:
    model = untaught()
    learner = CodebookLearner(model.quantizer.sound).eval()
    begin_quantising(model, learner, batches)
    return model, learner


def test_the_decoded_sound_is_the_same_before_and_after(batches: list[Tensor]) -> None:
    before, (after, _) = untaught(), begun(batches)
    said = parts_of(before, batches[0]).sound.clone()
    said[..., CONFIG.learned_dim :] = 0.0  # as in training without a quantiser
    old = sound_of(before, said)
    new = sound_of(after, parts_of(after, batches[0]).sound)
    assert old.std() > 0.01
    torch.testing.assert_close(new, old, atol=1e-4, rtol=0)


def test_what_the_network_says_is_turned_into_components_of_falling_weight(batches: list[Tensor]) -> None:
    model, _ = begun(batches)
    said = torch.cat([parts_of(model, pcm).sound[:, 1:] for pcm in batches]).flatten(0, 1)[:, : CONFIG.learned_dim]
    spread = torch.cov(said.double().t())
    deviations = spread.diagonal().sqrt()
    assert float(deviations[0]) == pytest.approx(STRONGEST, rel=1e-3)
    assert deviations.tolist() == sorted(deviations.tolist(), reverse=True)
    assert (spread - spread.diag().diag()).abs().max() < 1e-3
    assert said.mean(dim=0).abs().max() < 1e-3
    # Seen by the decoder's first layer these components do not lean on each other.
    kernels = model.decoder.first.weight[:, : CONFIG.learned_dim].double()
    seen = torch.einsum("odk,oek->de", kernels, kernels)
    assert (seen - seen.diag().diag()).abs().max() < 1e-3 * seen.diagonal().max()


def test_the_rest_of_the_latent_is_what_the_network_leaves_out_of_the_log_mel_patch(batches: list[Tensor]) -> None:
    model, _ = begun(batches)
    sound = torch.cat([parts_of(model, pcm).sound[:, 1:] for pcm in batches]).flatten(0, 1).double()
    mel = torch.cat([model.encoder.mel(model.encoder.frontend.offline(pcm)) for pcm in batches]).transpose(1, 2)
    patches = mel.reshape(len(mel), -1, CONFIG.hops * CONFIG.num_mels)[:, 1:].flatten(0, 1).double()
    said, detail = sound[:, : CONFIG.learned_dim], sound[:, CONFIG.learned_dim :]
    # None of it can be told from what was said, and the strongest of it comes first.
    assert (said.t() @ detail / len(said)).abs().max() < 1e-3
    assert detail.mean(dim=0).abs().max() < 1e-3
    deviations = detail.std(dim=0)
    assert deviations.tolist() == sorted(deviations.tolist(), reverse=True)
    assert deviations[0] > DETAIL_SCALE * 0.1
    # The decoder's map of both is as good as that many numbers can be: what is left is the weakest components.
    ones = torch.cat([said, torch.ones(len(said), 1)], dim=1)
    left = patches - ones @ torch.linalg.lstsq(ones, patches).solution
    weakest = torch.linalg.eigvalsh(torch.cov(left.t()))[: -detail.shape[1]].sum()
    error = patches - model.decoder.patch(sound.float()).double()
    assert error.mean(dim=0).abs().max() < 1e-3
    assert float(error.var(dim=0).sum()) == pytest.approx(float(weakest), rel=1e-2)
    assert weakest < 0.7 * left.var(dim=0).sum()


def test_the_codebooks_are_made_of_the_whole_latent(batches: list[Tensor]) -> None:
    model, learner = begun(batches)
    sound = torch.cat([parts_of(model, pcm).sound[:, 1:] for pcm in batches])
    whole = sound.square().sum()
    errors = []
    for layers in range(1, len(CONFIG.bands) + 1):
        quantised, _, _ = learner(sound, torch.full((len(sound),), layers))
        errors.append(float((quantised - sound).square().sum() / whole))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5


def test_turning_the_latent_keeps_the_sound_and_orders_it_by_what_is_heard(batches: list[Tensor]) -> None:
    (before, _), (after, learner) = begun(batches), begun(batches)
    for model in (before, after):
        torch.manual_seed(6)
        model.decoder.first.weight.normal_(std=0.1)  # detail has a say, on both of its ways
        model.decoder.join.weight.normal_(std=0.1)
        model.encoder.patch.bias.add_(0.3)  # as it drifts in training
    variances = turn_latent(
        after,
        learner,
        batches,
        loss=MultiResolutionMelLoss(CONFIG.sample_rate),
        ear=LoudnessLoss(CONFIG.sample_rate),
    )
    old, new = (sound_of(model, parts_of(model, batches[0]).sound) for model in (before, after))
    torch.testing.assert_close(new, old, atol=1e-4, rtol=0)
    sound = torch.cat([parts_of(after, pcm).sound[:, 1:] for pcm in batches]).flatten(0, 1).double()
    spread = torch.cov(sound.t())
    assert (spread - spread.diag().diag()).abs().max() < 1e-2
    torch.testing.assert_close(spread.diagonal(), variances, atol=1e-2, rtol=1e-2)
    assert variances.tolist() == sorted(variances.tolist(), reverse=True)
    assert float(variances[0]) == pytest.approx(STRONGEST**2, rel=1e-6)


def test_the_pitch_tracker_and_its_contours_come_from_their_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(3)
    tracker = PitchTracker(CONFIG.pitch, window=CONFIG.window, sample_rate=CONFIG.sample_rate)
    contours = 60.0 + 300.0 * torch.rand(CONFIG.codebook_size, CONFIG.hops)
    tensors = {f"tracker.{name}": tensor for name, tensor in tracker.state_dict().items()}
    save_checkpoint(tmp_path, {**tensors, "contours": contours}, {})
    model = untaught()
    begin_with_pitch(model, tmp_path)
    assert torch.equal(model.quantizer.contour_codebooks, contours)
    magnitudes = torch.rand(1, 10, CONFIG.window // 2 + 1)
    torch.testing.assert_close(model.encoder.tracker.offline(magnitudes), tracker.offline(magnitudes))


def test_a_folder_without_a_pitch_tracker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No checkpoint"):
        begin_with_pitch(untaught(), tmp_path)
