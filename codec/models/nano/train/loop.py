"""The training run: a schedule in minutes, checkpoints it can be resumed from, and a log of what happened."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from codec.models.checkpoint import load_checkpoint, save_checkpoint
from codec.models.nano.config import PITCH_LAYER
from codec.models.nano.excitation import NOISE_LENGTH
from codec.models.nano.model import Nano
from codec.models.nano.train.beginning import begin_quantising, begin_with_pitch, leave_out_patches, turn_latent
from codec.models.nano.train.codebooks import CodebookLearner
from codec.models.nano.train.config import TrainConfig
from codec.models.nano.train.data import SpeechCorpus
from codec.models.nano.train.errors import TrainingDataError
from codec.models.nano.train.losses import EnvelopeCorrelationLoss, LoudnessLoss, MultiResolutionMelLoss
from codec.models.nano.train.stages import Stage
from codec.models.nano.train.validation import validate

WARM_UP_STEPS = 100
FIRST_BATCHES = 400
"""Batches of speech whose log-mel patches the first codebooks are made of."""
ADDITIONS = 0.3
"""Weight of what was added among the disturbances of loudness."""
LINEAR_MAP_PACE = 0.2
"""Share of the learning rate for the map from latent to log-mel patch, which begins where it ought to be."""
QUANTISED_ENCODER_PACE = 0.25
"""The same for the encoder, once its latent is quantised."""


class Trainer:
    """Owns everything a run changes. `run()` returns when the minutes are over."""

    def __init__(
        self, config: TrainConfig, training: SpeechCorpus, validation: SpeechCorpus, *, progress: bool
    ) -> None:
        self.config, self.training, self.validation, self.progress = config, training, validation, progress
        torch.manual_seed(config.seed)
        self.model = Nano().to(config.device)
        self.average = Nano().to(config.device)
        self.learner = CodebookLearner(self.model.quantizer.sound).to(config.device)
        self.loss = MultiResolutionMelLoss(self.model.config.sample_rate).to(config.device)
        self.loudness_loss = LoudnessLoss(self.model.config.sample_rate).to(config.device)
        self.envelope_loss = EnvelopeCorrelationLoss(self.model.config.sample_rate).to(config.device)
        self.model.encoder.tracker.requires_grad_(False)
        self.model.encoder.patch.requires_grad_(False)
        encoder = list(self.model.encoder.layers.parameters())
        projection = list(self.model.encoder.project.parameters())
        linear_map = list(self.model.decoder.patch.parameters())
        named = {id(parameter) for parameter in [*encoder, *projection, *linear_map]}
        rest = [p for p in self.model.parameters() if p.requires_grad and id(p) not in named]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": rest, "pace": 1.0},
                {"params": linear_map, "pace": LINEAR_MAP_PACE},
                {"params": encoder, "pace": 1.0, "encoder": True},
                {"params": projection, "pace": 1.0},
            ],
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
        )
        # It stays out of the first stage: see `leave_out_patches`.
        self.model.decoder.join.weight.requires_grad_(False)
        self.step = 0
        self.stage = Stage.SPEAKING
        self.warm_from = 0  # the step that the latest warm-up began at
        self.skipped_steps = 0  # whose gradient was not finite
        self.elapsed_s = 0.0

    # The schedule is a function of the share of the minutes that has passed, so any length of run has its whole shape.

    @property
    def share(self) -> float:
        """How much of the schedule has passed, 0 … 1."""
        return min(1.0, self.elapsed_s / (60.0 * self.config.minutes))

    def learning_rate(self) -> float:
        """Cosine over the run down to a fiftieth, after a short linear warm-up."""
        cosine = 0.5 * (1.0 + math.cos(math.pi * self.share))
        warm = min(1.0, (self.step + 1 - self.warm_from) / WARM_UP_STEPS)
        return self.config.learning_rate * warm * (0.02 + 0.98 * cosine)

    def begin(self) -> None:
        """Put the pitch tracker in place: a new run."""
        if self.config.pitch is None:
            raise TrainingDataError("A new run needs the checkpoint of a pitch tracker: see train.pitch")
        begin_with_pitch(self.model, self.config.pitch)
        leave_out_patches(self.model)
        self.average.load_state_dict(self.model.state_dict())

    def _begin_stage(self, stage: Stage) -> None:
        # From the averaged weights, which speak better. The optimiser's past was of another latent.
        self.model.load_state_dict(self.average.state_dict())
        self.model.eval()
        first = (self._batch(np.random.default_rng((self.config.seed, stage, n))) for n in range(FIRST_BATCHES))
        if stage is Stage.QUANTISED:
            begin_quantising(self.model, self.learner, first)
        else:
            turn_latent(self.model, self.learner, first, loss=self.loss, ear=self.loudness_loss)
        self.average.load_state_dict(self.model.state_dict())
        self.optimizer.state.clear()
        self.warm_from = self.step
        self._be_in(stage)

    def _be_in(self, stage: Stage) -> None:
        """What learns in a stage, and how fast."""
        self.stage = stage
        if stage >= Stage.QUANTISED:
            self.model.encoder.project.requires_grad_(False)
            self.model.decoder.join.weight.requires_grad_(True)
            for group in self.optimizer.param_groups:
                if group.get("encoder"):
                    group["pace"] = QUANTISED_ENCODER_PACE
        if stage >= Stage.TURNED:
            self.model.encoder.requires_grad_(False)

    def run(self) -> None:
        """Train until the minutes are over, with checkpoints and validation on the way."""
        saved = checked = self.elapsed_s
        bar = tqdm(
            total=round(self.config.minutes * 60), initial=int(self.elapsed_s), unit="s", disable=not self.progress
        )
        while self.share < 1.0:
            began = time.monotonic()
            rng = np.random.default_rng((self.config.seed, self.step))
            figures = self._update(self._batch(rng), rng)
            self.step += 1
            self.elapsed_s += time.monotonic() - began
            bar.update(int(self.elapsed_s) - bar.n)
            bar.set_postfix(step=self.step, loss=f"{figures['loss']:.3f}")
            if self.step % 20 == 0:
                self._log({"step": self.step, "minutes": self.elapsed_s / 60, **figures})
            if self.elapsed_s - saved > 60 * self.config.checkpoint_minutes:
                saved = self.elapsed_s
                self.save()
            if self.elapsed_s - checked > 60 * self.config.validation_minutes:
                checked = self.elapsed_s
                self._log({"step": self.step, "minutes": self.elapsed_s / 60, **self._validate()})
        bar.close()
        self.save()
        self._log({"step": self.step, "minutes": self.elapsed_s / 60, **self._validate()})

    def _batch(self, rng: np.random.Generator) -> Tensor:
        length = round(self.config.segment_s * self.model.config.sample_rate)
        length -= length % self.model.config.frame_size
        batch = self.training.batch(
            rng, size=self.config.batch_size, length=length, augmentation=self.config.augmentation
        )
        return batch.to(self.config.device)

    def _update(self, pcm: Tensor, rng: np.random.Generator) -> dict[str, float]:
        if self.stage < Stage.QUANTISED and self.share >= self.config.unquantised_share:
            self._begin_stage(Stage.QUANTISED)
        if self.stage < Stage.TURNED and self.share >= self.config.unturned_share:
            self._begin_stage(Stage.TURNED)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate() * group["pace"]
        self.model.train()
        layers = torch.from_numpy(self._layers(rng)).to(pcm.device)
        with torch.autocast(pcm.device.type, torch.bfloat16, enabled=self.config.autocast):
            latent = self.model.encoder.offline(pcm)
        restored, commitment = self._quantise(latent.float(), layers)
        with torch.autocast(pcm.device.type, torch.bfloat16, enabled=self.config.autocast):
            decoded, _ = self.model.decoder(restored, self._begun_anywhere(len(pcm), rng))
        delay = self.model.config.delay_samples
        decoded, source = decoded[:, delay:].float(), pcm[:, :-delay]
        spectral = self.loss(decoded, source)
        everything, additions = self.loudness_loss(decoded, source)
        loudness = everything + ADDITIONS * additions
        loss = spectral + self.config.commitment * commitment + self.config.loudness_weight * loudness
        envelope = pcm.new_zeros(())
        if self.share >= self.config.envelope_share:
            envelope = self.envelope_loss(decoded, source)
            loss = loss + self.config.envelope_weight * envelope
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip))
        if math.isfinite(norm):
            self.optimizer.step()
        else:
            self.skipped_steps += 1
        self._follow_average()
        return {
            "loss": float(spectral.detach()),
            "loudness": float(loudness.detach()),
            "commitment": float(commitment.detach()),
            "envelope": float(envelope.detach()),
            "gradient_norm": norm,
            "skipped_steps": self.skipped_steps,
            "learning_rate": self.learning_rate(),
        }

    def _quantise(self, latent: Tensor, layers: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder gets of `latent` through the first `layers` [B] layers, and the commitment loss."""
        quantizer = self.model.quantizer
        parts = quantizer.split(quantizer.project(latent))
        if self.stage is Stage.SPEAKING:
            detail = parts.sound.shape[-1] - quantizer.config.learned_dim
            sound = functional.pad(parts.sound[..., : quantizer.config.learned_dim], (0, detail))
            codes = torch.full((len(layers), PITCH_LAYER + 1, sound.shape[1]), 0, device=latent.device)
            codes[:, PITCH_LAYER] = quantizer.nearest_contour(parts)
            return torch.cat([sound, quantizer.pitch(codes)], dim=-1).transpose(1, 2), latent.new_zeros(())
        # One of the layers is the pitch's.
        sound, commitment, first = self.learner(parts.sound, torch.where(layers > PITCH_LAYER, layers - 1, layers))
        with torch.no_grad():
            self.learner.follow_pitch(first, parts, quantizer)
            codes = torch.full((len(layers), PITCH_LAYER + 1, first.shape[1]), -1, device=latent.device)
            codes[:, 0] = first
            told = quantizer.nearest_contour(parts)
            codes[:, PITCH_LAYER] = torch.where((layers > PITCH_LAYER)[:, None], told, -1)
            pitch = quantizer.pitch(codes)
        return torch.cat([sound, pitch], dim=-1).transpose(1, 2), commitment

    def _begun_anywhere(self, rows: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """The state of a decoder that begins, but at any phase of its harmonics and place in its noise."""
        state = self.model.decoder.initial_state(rows)
        for name, value in state.items():
            if name.endswith("harmonics.phase"):
                state[name] = torch.from_numpy(rng.random((rows, 1))).to(value)
            elif name.endswith("noise.position"):
                places = NOISE_LENGTH // self.model.config.hop
                state[name] = torch.from_numpy(rng.integers(0, places, (rows, 1))).to(value)
        return state

    def _layers(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Layers per sample: all of them for half of the batch, any number for the rest."""
        layers = self.model.config.num_layers
        any_number = rng.integers(1, layers + 1, self.config.batch_size)
        return np.where(rng.random(self.config.batch_size) < 0.5, layers, any_number)

    @torch.no_grad()
    def _follow_average(self) -> None:
        decay = min(self.config.average_decay, (1 + self.step) / (10 + self.step))
        ours = dict(self.model.named_parameters())
        for name, tensor in self.average.named_parameters():
            tensor.lerp_(ours[name], 1 - decay)
        tables = dict(self.model.quantizer.named_buffers())
        for name, table in self.average.quantizer.named_buffers():
            table.copy_(tables[name])

    def _validate(self) -> dict[str, float]:
        self.average.eval()
        figures = validate(self.average, self.validation, self.loss, seed=self.config.seed)
        return {f"validation_{name}": value for name, value in figures.items()}

    def _log(self, figures: dict[str, float]) -> None:
        with (self.config.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({k: round(v, 5) for k, v in figures.items()}) + "\n")

    def save(self) -> None:
        """Write the whole run into the checkpoint folder."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        tensors |= {f"learner.{k}": v for k, v in self.learner.named_buffers(recurse=False)}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": v for k, v in state.items()}
        save_checkpoint(
            self.config.out / "checkpoint",
            tensors,
            {
                "step": self.step,
                "elapsed_s": self.elapsed_s,
                "stage": int(self.stage),
                "minutes": self.config.minutes,
                "seed": self.config.seed,
            },
        )

    def resume(self) -> None:
        """Go on from the checkpoint in the output folder."""
        tensors, about = load_checkpoint(self.config.out / "checkpoint")
        self.step, self.elapsed_s = about["step"], about["elapsed_s"]
        part = {
            prefix: {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            for prefix in ("model.", "average.", "learner.", "optimizer.")
        }
        self.model.load_state_dict(part["model."])
        self.average.load_state_dict(part["average."])
        self.learner.load_state_dict(part["learner."], strict=False)
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in part["optimizer."].items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
        self._be_in(Stage(about["stage"]))

    def begin_from(self, weights: dict[str, Tensor]) -> None:
        """Start from released weights."""
        self.model.load_state_dict(weights)
        self.average.load_state_dict(weights)
        self.learner.begin_from_codebooks()
        self._be_in(Stage.TURNED)
