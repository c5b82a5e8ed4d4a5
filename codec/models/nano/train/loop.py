"""The training run: batch after batch until its minutes are over, with checkpoints and validation on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from codec.models.nano.excitation import NOISE_LENGTH
from codec.models.nano.model import Nano
from codec.models.nano.train.batches import Batches, Key
from codec.models.nano.train.beginning import begin_quantising, begin_with_pitch, leave_out_patches, turn_latent
from codec.models.nano.train.captured import CapturedSteps
from codec.models.nano.train.codebooks import CodebookLearner
from codec.models.nano.train.config import TrainConfig
from codec.models.nano.train.data import SpeechCorpus
from codec.models.nano.train.errors import TrainingDataError
from codec.models.nano.train.run_folder import Progress, RunFolder
from codec.models.nano.train.schedule import Schedule
from codec.models.nano.train.stages import Stage
from codec.models.nano.train.update import StepInputs, Update
from codec.models.nano.train.validation import validate

FIRST_FRAMES = 64_000
"""Of codes: so much speech the first codebooks of a stage are made of."""
LOGGED_STEPS = 20
"""Every so many steps their figures are asked for and logged."""
FEWER_LAYERS_SHARE = 0.4
"""Of the rows of a batch, which get fewer layers than all."""


class Trainer:
    """Owns everything a run changes. `run()` returns when the minutes are over."""

    def __init__(
        self, config: TrainConfig, training: SpeechCorpus, validation: SpeechCorpus, *, progress: bool
    ) -> None:
        self.config, self.validation, self.show = config, validation, progress
        torch.manual_seed(config.seed)
        self.device = torch.device(config.device)
        if self.device.type == "cuda":
            # Ten bits of mantissa are enough to learn by.
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.model, self.average = Nano().to(self.device), Nano().to(self.device)
        self.learner = CodebookLearner(self.model.quantizer.sound).to(self.device)
        self.update = Update(config, self.model, self.average, self.learner)
        self.steps = CapturedSteps(self.update)
        length = round(config.segment_s * self.model.config.sample_rate)
        length -= length % self.model.config.frame_size
        self.batches = Batches(training, size=config.batch_size, length=length, augmentation=config.augmentation)
        self.folder = RunFolder(config.out)
        self.progress = Progress()
        self.warm_from = 0  # the step that the latest warm-up began at

    @property
    def share(self) -> float:
        """How much of the schedule has passed, 0 … 1."""
        return min(1.0, self.progress.elapsed_s / (60.0 * self.config.minutes))

    def begin(self) -> None:
        """Put the pitch tracker in place: a new run."""
        if self.config.pitch is None:
            raise TrainingDataError("A new run needs the checkpoint of a pitch tracker: see train.pitch")
        begin_with_pitch(self.model, self.config.pitch)
        leave_out_patches(self.model)
        self.average.load_state_dict(self.model.state_dict())

    def begin_from(self, weights: dict[str, Tensor]) -> None:
        """Start from released weights."""
        self.model.load_state_dict(weights)
        self.average.load_state_dict(weights)
        self.learner.begin_from_codebooks()
        self.progress = Progress(stage=Stage.QUANTISED, from_release=True)
        self.update.be_in(Stage.QUANTISED)

    def resume(self) -> None:
        """Go on from the checkpoint in the output folder."""
        self.progress = self.folder.restore(self.update)

    def run(self) -> None:
        """Train until the minutes are over, with checkpoints and validation on the way."""
        progress, config = self.progress, self.config
        schedule = Schedule(config, from_release=progress.from_release)
        saved = checked = progress.elapsed_s
        batches = self._each((config.seed, step) for step in count(progress.step))
        bar = tqdm(total=round(config.minutes * 60), initial=int(progress.elapsed_s), unit="s", disable=not self.show)
        while self.share < 1.0:
            began = time.monotonic()
            stage = schedule.stage(self.share)
            while progress.stage < stage:
                self._begin_stage(Stage(progress.stage + 1))
            rate = schedule.learning_rate(self.share, progress.step - self.warm_from)
            self.update.set_learning_rate(rate, step=progress.step)
            inputs = self._inputs(next(batches)).to(self.device)
            figures = self.steps(inputs, schedule.lesson(progress.stage, self.share))
            progress.step += 1
            if progress.step % LOGGED_STEPS == 0:
                numbers = {name: float(value) for name, value in figures.items()}  # waits for the device
                bar.set_postfix(step=progress.step, loss=f"{numbers['loss']:.3f}")
            progress.elapsed_s += time.monotonic() - began
            bar.update(int(progress.elapsed_s) - bar.n)
            if progress.step % LOGGED_STEPS == 0:
                self.folder.log({**self._where(), **numbers, "learning_rate": rate})
            if progress.elapsed_s - saved > 60 * config.checkpoint_minutes:
                saved = progress.elapsed_s
                self.save()
            if progress.elapsed_s - checked > 60 * config.validation_minutes:
                checked = progress.elapsed_s
                self.folder.log({**self._where(), **self._validate()})
        bar.close()
        self.save()
        self.folder.log({**self._where(), **self._validate()})

    def save(self) -> None:
        """Write the whole run into the checkpoint folder."""
        self.folder.save(self.update, self.progress, {"minutes": self.config.minutes, "seed": self.config.seed})

    def _where(self) -> dict[str, float]:
        return {"step": self.progress.step, "minutes": self.progress.elapsed_s / 60}

    def _begin_stage(self, stage: Stage) -> None:
        # From the averaged weights, which speak better. The optimiser's past was of another latent.
        self.model.load_state_dict(self.average.state_dict())
        self.model.eval()
        frames = self.config.batch_size * self.batches.length // self.model.config.frame_size
        keys = ((self.config.seed, stage, n) for n in range(math.ceil(FIRST_FRAMES / frames)))
        first = (pcm.to(self.device) for pcm in self._each(keys))
        if stage is Stage.QUANTISED:
            begin_quantising(self.model, self.learner, first)
        else:
            turn_latent(self.model, self.learner, first, loss=self.update.loss, ear=self.update.loudness_loss)
        self.average.load_state_dict(self.model.state_dict())
        self.update.optimizer.state.clear()
        self.steps.forget()
        self.warm_from, self.progress.stage = self.progress.step, stage
        self.update.be_in(stage)

    def _each(self, keys: Iterable[Key]) -> Iterator[Tensor]:
        return self.batches.each(keys, workers=self.config.workers, pin=self.device.type == "cuda")

    def _inputs(self, pcm: Tensor) -> StepInputs:
        """A batch, and what is drawn for its rows: by step, so that a resumed run draws the same."""
        rng = np.random.default_rng((self.config.seed, self.progress.step, len(pcm)))
        places = NOISE_LENGTH // self.model.config.hop
        return StepInputs(
            pcm=pcm,
            layers=torch.from_numpy(self._layers(rng)),
            phase=torch.from_numpy(rng.random((len(pcm), 1))),
            position=torch.from_numpy(rng.integers(0, places, (len(pcm), 1))),
        )

    def _layers(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Layers per sample: all of them for most; for the others any number, the fewer the likelier.

        What few layers say, all who have more of them hear too; but a stream of one layer sounds like no other.
        """
        numbers = np.arange(1, self.model.config.num_layers + 1)
        fewer = rng.choice(numbers, self.config.batch_size, p=(1.0 / numbers) / (1.0 / numbers).sum())
        all_layers = rng.random(self.config.batch_size) >= FEWER_LAYERS_SHARE
        return np.where(all_layers, self.model.config.num_layers, fewer)

    def _validate(self) -> dict[str, float]:
        self.average.eval()
        figures = validate(self.average, self.validation, self.update.loss, seed=self.config.seed)
        return {f"validation_{name}": value for name, value in figures.items()}
