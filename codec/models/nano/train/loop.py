"""The training run: a schedule in minutes, checkpoints it can be resumed from, and a log of what happened."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from codec.models.checkpoint import load_checkpoint, save_checkpoint
from codec.models.nano.model import Nano
from codec.models.nano.train.codebooks import CodebookLearner
from codec.models.nano.train.config import TrainConfig
from codec.models.nano.train.data import SpeechCorpus
from codec.models.nano.train.losses import EnvelopeCorrelationLoss, MultiResolutionMelLoss
from codec.models.nano.train.validation import validate

WARM_UP_STEPS = 100
KEPT_BATCHES = 80
"""Batches of latents kept for the first codebooks."""


class Trainer:
    """Owns everything a run changes. `run()` returns when the minutes are over."""

    def __init__(
        self, config: TrainConfig, training: SpeechCorpus, validation: SpeechCorpus, *, progress: bool
    ) -> None:
        self.config, self.training, self.validation, self.progress = config, training, validation, progress
        torch.manual_seed(config.seed)
        self.model = Nano().to(config.device)
        self.average = Nano().to(config.device)
        self.average.load_state_dict(self.model.state_dict())
        self.learner = CodebookLearner(self.model.quantizer).to(config.device)
        self.loss = MultiResolutionMelLoss(self.model.config.sample_rate).to(config.device)
        self.envelope_loss = EnvelopeCorrelationLoss(self.model.config.sample_rate).to(config.device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
        )
        self.step = 0
        self.skipped_steps = 0  # whose gradient was not finite
        self.elapsed_s = 0.0
        self.quantised = False
        self.kept: list[Tensor] = []

    # The schedule is a function of the share of the minutes that has passed, so any length of run has its whole shape.

    @property
    def share(self) -> float:
        """How much of the schedule has passed, 0 … 1."""
        return min(1.0, self.elapsed_s / (60.0 * self.config.minutes))

    def learning_rate(self) -> float:
        """Cosine over the run down to a fiftieth, after a short linear warm-up."""
        cosine = 0.5 * (1.0 + math.cos(math.pi * self.share))
        warm = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        return self.config.learning_rate * warm * (0.02 + 0.98 * cosine)

    def run(self) -> None:
        """Train until the minutes are over, with checkpoints and validation on the way."""
        length = round(self.config.segment_s * self.model.config.sample_rate)
        saved = checked = self.elapsed_s
        bar = tqdm(
            total=round(self.config.minutes * 60), initial=int(self.elapsed_s), unit="s", disable=not self.progress
        )
        while self.share < 1.0:
            began = time.monotonic()
            rng = np.random.default_rng((self.config.seed, self.step))
            pcm = self.training.batch(rng, size=self.config.batch_size, length=length).to(self.config.device)
            figures = self._update(pcm, rng)
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

    def _update(self, pcm: Tensor, rng: np.random.Generator) -> dict[str, float]:
        if not self.quantised and self.share >= self.config.unquantised_share:
            self._begin_quantising()
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        self.model.train()
        with torch.autocast(pcm.device.type, torch.bfloat16, enabled=self.config.autocast):
            latent = self.model.encoder.offline(pcm)
            vectors = self.model.quantizer.project(latent)
        vectors = vectors.float()
        commitment = pcm.new_zeros(())
        if self.quantised:
            layers = torch.from_numpy(self._layers(rng)).to(pcm.device)
            vectors, commitment = self.learner(vectors, layers)
        else:
            self.kept = [*self.kept[1 - KEPT_BATCHES :], vectors.detach().flatten(0, 1)]
        with torch.autocast(pcm.device.type, torch.bfloat16, enabled=self.config.autocast):
            latent = self.model.quantizer.output_projection(vectors.transpose(1, 2))
            decoded = self.model.decoder.offline(latent)
        delay = self.model.config.delay_samples
        decoded, source = decoded[:, delay:].float(), pcm[:, :-delay]
        spectral = self.loss(decoded, source)
        loss = spectral + self.config.commitment * commitment
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
            "commitment": float(commitment.detach()),
            "envelope": float(envelope.detach()),
            "gradient_norm": norm,
            "skipped_steps": self.skipped_steps,
            "learning_rate": self.learning_rate(),
        }

    def _layers(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Layers per sample: all of them for half of the batch, any number for the rest."""
        layers = self.model.config.num_layers
        any_number = rng.integers(1, layers + 1, self.config.batch_size)
        return np.where(rng.random(self.config.batch_size) < 0.5, layers, any_number)

    def _begin_quantising(self) -> None:
        if self.kept:
            self.learner.begin(torch.cat(self.kept))
        self.kept = []
        self.quantised = True

    @torch.no_grad()
    def _follow_average(self) -> None:
        decay = min(self.config.average_decay, (1 + self.step) / (10 + self.step))
        ours = dict(self.model.named_parameters())
        for name, tensor in self.average.named_parameters():
            tensor.lerp_(ours[name], 1 - decay)
        self.average.quantizer.codebooks.copy_(self.model.quantizer.codebooks)

    def _validate(self) -> dict[str, float]:
        self.average.eval()
        figures = validate(self.average, self.validation, self.loss, seed=self.config.seed, quantised=self.quantised)
        return {f"validation_{name}": value for name, value in figures.items()}

    def _log(self, figures: dict[str, float]) -> None:
        with (self.config.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({k: round(v, 5) for k, v in figures.items()}) + "\n")

    def save(self) -> None:
        """Write the whole run into the checkpoint folder."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        tensors |= {"learner.use": self.learner.use, "learner.total": self.learner.total}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": v for k, v in state.items()}
        save_checkpoint(
            self.config.out / "checkpoint",
            tensors,
            {
                "step": self.step,
                "elapsed_s": self.elapsed_s,
                "quantised": self.quantised,
                "minutes": self.config.minutes,
                "seed": self.config.seed,
            },
        )

    def resume(self) -> None:
        """Go on from the checkpoint in the output folder."""
        tensors, about = load_checkpoint(self.config.out / "checkpoint")
        self.step, self.elapsed_s, self.quantised = about["step"], about["elapsed_s"], about["quantised"]
        part = {
            prefix: {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            for prefix in ("model.", "average.", "learner.", "optimizer.")
        }
        self.model.load_state_dict(part["model."])
        self.average.load_state_dict(part["average."])
        self.learner.use.copy_(part["learner."]["use"])
        self.learner.total.copy_(part["learner."]["total"])
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in part["optimizer."].items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})

    def begin_from(self, weights: dict[str, Tensor]) -> None:
        """Start from released weights (the quantiser is in place from the first step)."""
        self.model.load_state_dict(weights)
        self.average.load_state_dict(weights)
        self.learner.use.fill_(1.0)
        self.learner.total.copy_(self.model.quantizer.codebooks)
        self.quantised = True
