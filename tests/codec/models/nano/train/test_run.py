"""The recipe itself, on a little noise: a step counts as a second, everything else is as in a real run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from codec.models.checkpoint import load_checkpoint, save_checkpoint
from codec.models.nano.config import NanoConfig
from codec.models.nano.pitch import PitchTracker
from codec.models.nano.train import cli, loop, run_folder, validation
from codec.models.nano.train.config import TrainConfig
from codec.models.nano.train.data import SpeechCorpus, read_index
from codec.models.nano.train.loop import Trainer
from codec.models.nano.train.schedule import Lesson
from codec.models.nano.train.stages import Stage
from codec.models.nano.train.update import LINEAR_MAP_PACE, Figures, StepInputs, Update
from codec.models.nano.weights import load_averaged_weights, load_nano, load_weights

pytestmark = pytest.mark.slow

CONFIG = NanoConfig()


@dataclass
class Finished:
    """A run of five steps: two without the quantiser, one before the latent is turned, two after it."""

    out: Path
    data: Path
    trainer: Trainer
    learned: dict[Stage, set[str]]
    """What of the model moved in a stage."""
    join_of_first_stage: float
    """Largest weight of the decoder's map of log-mel patches when the quantiser was put in."""


@pytest.fixture(scope="module")
def pitch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the training of the pitch tracker leaves; this one has learned nothing."""
    folder = tmp_path_factory.mktemp("pitch")
    torch.manual_seed(4)
    tracker = PitchTracker(CONFIG.pitch, window=CONFIG.window, sample_rate=CONFIG.sample_rate)
    contours = 60.0 + 300.0 * torch.rand(CONFIG.codebook_size, CONFIG.hops)
    tensors = {f"tracker.{name}": tensor for name, tensor in tracker.state_dict().items()}
    save_checkpoint(folder, {**tensors, "contours": contours}, {"steps": 0})
    return folder


@pytest.fixture(scope="module")
def quick() -> Iterator[pytest.MonkeyPatch]:
    """Each step takes a second by the clock; codebooks and validation are content with little."""
    with pytest.MonkeyPatch.context() as patch:
        seconds = count()
        patch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
        patch.setattr(loop, "FIRST_FRAMES", 8 * 16)
        patch.setattr("codec.models.nano.train.codebooks.FIRST_ROUNDS", 1)
        patch.setattr(validation, "SEGMENTS", 1)
        patch.setattr(validation, "_scores", lambda rate: {})
        yield patch


def arguments(data: Path, out: Path, *, steps: int) -> list[str]:
    minutes = str(steps / 60)
    return ["--data", str(data), "--out", str(out), "--batch-size", "2", "--segment", "0.64", "--minutes", minutes]


@pytest.fixture(scope="module")
def finished(
    speech: Path, pitch: Path, quick: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Finished:
    made: list[Trainer] = []
    joins: list[float] = []
    learned: dict[Stage, set[str]] = {}

    class Watched(Trainer):
        def run(self) -> None:
            made.append(self)
            super().run()

        def _begin_stage(self, stage: Stage) -> None:
            if stage is Stage.QUANTISED:
                joins.append(float(self.model.decoder.join.weight.detach().abs().max()))
            super()._begin_stage(stage)

    step = Update.__call__

    def watched(self: Update, inputs: StepInputs, lesson: Lesson) -> Figures:
        before = {k: v.clone() for k, v in self.model.state_dict().items()}
        figures = step(self, inputs, lesson)
        moved = {k for k, v in self.model.state_dict().items() if not torch.equal(v, before[k])}
        learned[lesson.stage] = learned.get(lesson.stage, set()) | moved
        return figures

    out = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "Trainer", Watched)
        patch.setattr(Update, "__call__", watched)
        assert cli.main([*arguments(speech, out, steps=5), "--pitch", str(pitch)]) == 0
    (trainer,), (join,) = made, joins
    return Finished(out, speech, trainer, learned, join)


def test_a_run_goes_through_its_stages_and_leaves_checkpoint_and_log(finished: Finished, pitch: Path) -> None:
    tensors, about = load_checkpoint(finished.out / "checkpoint")
    assert (about["step"], about["elapsed_s"], about["stage"]) == (5, 5.0, Stage.TURNED)
    assert finished.trainer.update.skipped_steps == 0
    assert finished.join_of_first_stage == 0.0
    assert tensors["model.decoder.join.weight"].abs().max() > 0
    assert all(tensors["average.quantizer.sound.codebooks"].flatten(1).std(dim=1) > 0)
    # The pitch was learned before; nothing of it moves.
    before, _ = load_checkpoint(pitch)
    assert torch.equal(tensors["average.quantizer.contour_codebooks"], before["contours"])
    for name, tensor in before.items():
        if name.startswith("tracker."):
            assert torch.equal(tensors[f"average.encoder.{name}"], tensor), name
    last = json.loads((finished.out / "log.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 5
    assert all(last[f"validation_loss_{layers}_layers"] > 0 for layers in (1, 4, 16))


def test_each_stage_learns_what_it_is_to_learn(finished: Finished) -> None:
    speaking, turned = (finished.learned[stage] for stage in (Stage.SPEAKING, Stage.TURNED))
    assert {"encoder.layers.0.weight", "encoder.project.weight", "decoder.head.shape.weight"} <= speaking
    assert "decoder.join.weight" not in speaking
    assert "quantizer.sound.codebooks" not in speaking
    assert {"decoder.join.weight", "decoder.patch.weight", "quantizer.sound.codebooks"} <= turned
    assert not {name for name in turned if name.startswith("encoder.")}
    # Put in place by computation or learned before: not by gradients.
    for name in ("encoder.patch.weight", "encoder.tracker.enter.weight", "quantizer.contour_codebooks"):
        assert name not in speaking | turned


def test_what_a_run_leaves_is_what_the_export_takes(finished: Finished) -> None:
    model, spec = load_nano(finished.out / "checkpoint")
    assert spec.name == "nano-1"
    codes = model.encode(0.1 * torch.randn(1, 3 * 1280))
    assert codes.shape == (1, 16, 3)
    assert model.decode(codes).isfinite().all()
    average = finished.trainer.average.state_dict()
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, average[name], atol=1e-3, rtol=1e-3, msg=name)
        assert torch.equal(tensor, tensor.half().float()), name


def trainer(finished: Finished, *, steps: int) -> Trainer:
    """A new one on the same speech and folder."""
    config = TrainConfig(
        data=finished.data, out=finished.out, pitch=None, minutes=steps / 60, batch_size=2, segment_s=0.64
    )
    corpus = SpeechCorpus(
        finished.data,
        read_index(finished.data, CONFIG.sample_rate),
        cache=finished.out / "cache",
        sample_rate=CONFIG.sample_rate,
        progress=False,
    )
    return Trainer(config, corpus, corpus, progress=False)


def held(trainer: Trainer) -> bool:
    """Whether the latent is held: a slow encoder, its projection still, and a decoder that hears of the patch."""
    paces = {group["name"]: group["pace"] for group in trainer.update.optimizer.param_groups}
    pace = trainer.config.encoder_pace
    return (
        paces == {"encoder": pace, "map": 0.0, "decoder_map": LINEAR_MAP_PACE, "rest": 1.0}
        and not trainer.model.encoder.project.weight.requires_grad
        and trainer.model.decoder.join.weight.requires_grad
    )


def encoder_learns(trainer: Trainer) -> bool:
    return any(parameter.requires_grad for parameter in trainer.model.encoder.parameters())


def test_a_run_is_resumed_where_it_was(finished: Finished, quick: pytest.MonkeyPatch) -> None:
    resumed = trainer(finished, steps=6)
    assert not held(resumed)
    resumed.resume()
    assert held(resumed)
    assert resumed.progress.stage is Stage.TURNED
    assert not encoder_learns(resumed)
    assert (resumed.progress.step, resumed.share) == (5, 5 / 6)
    ours, theirs = finished.trainer, resumed
    for name, tensor in ours.model.state_dict().items():
        assert torch.equal(theirs.model.state_dict()[name], tensor), name
    for name, tensor in ours.learner.named_buffers():
        assert torch.equal(dict(theirs.learner.named_buffers())[name], tensor), name
    before, after = ours.update.optimizer.state_dict()["state"], theirs.update.optimizer.state_dict()["state"]
    assert before.keys() == after.keys()
    assert all(torch.equal(before[i]["exp_avg"], after[i]["exp_avg"]) for i in before)
    shape = resumed.model.decoder.head.shape.weight.detach().clone()
    resumed.run()
    assert resumed.progress.step == 6
    assert not torch.equal(resumed.model.decoder.head.shape.weight, shape)


def test_a_run_is_resumed_in_the_stage_that_it_was_in(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors, about = load_checkpoint(finished.out / "checkpoint")
    resumed = trainer(finished, steps=6)
    for stage in (Stage.SPEAKING, Stage.QUANTISED):
        monkeypatch.setattr(
            run_folder, "load_checkpoint", lambda _, stage=stage: (tensors, {**about, "stage": int(stage)})
        )
        resumed.resume()
        assert resumed.progress.stage is stage
        assert held(resumed) == (stage is Stage.QUANTISED)
        assert encoder_learns(resumed)


def test_weights_without_their_run_are_not_gone_on_from_and_the_way_out_is_named(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors, _ = load_checkpoint(finished.out / "checkpoint")
    average = {name: tensor for name, tensor in tensors.items() if name.startswith("average.")}
    save_checkpoint(tmp_path / "checkpoint", average, {"step": 5})
    assert cli.main([*arguments(finished.data, tmp_path, steps=1), "--resume"]) == 76
    assert "--init" in capsys.readouterr().err
    assert load_weights(tmp_path / "checkpoint").keys() == finished.trainer.model.state_dict().keys()


def test_a_run_may_begin_from_a_release(finished: Finished) -> None:
    begun = trainer(finished, steps=6)
    weights = load_averaged_weights(finished.out / "checkpoint")
    begun.begin_from(weights)
    assert held(begun)
    assert (begun.progress.step, begun.share) == (0, 0.0)
    assert torch.equal(begun.learner.total, weights["quantizer.sound.codebooks"])
    assert torch.equal(begun.average.decoder.patch.weight, weights["decoder.patch.weight"])
