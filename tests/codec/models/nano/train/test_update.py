"""One step of training; whether a GPU could capture it is found out without one, on a device that has no values."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from codec.models.nano.model import Nano
from codec.models.nano.train.codebooks import CodebookLearner
from codec.models.nano.train.config import TrainConfig
from codec.models.nano.train.schedule import Lesson
from codec.models.nano.train.stages import Stage
from codec.models.nano.train.update import StepInputs, Update
from tests.codec.models.recorder import WAITING, Recorder

CONFIG = TrainConfig(data=Path(), out=Path(), pitch=None, minutes=1.0, critics=True, map_pace=0.1, critics_rows=1)
SPEAKING = Lesson(Stage.SPEAKING, envelope=False, critics_learn=False, critics_speak=False)
TOGETHER = Lesson(Stage.QUANTISED, envelope=True, critics_learn=False, critics_speak=False)
JUDGED = Lesson(Stage.TURNED, envelope=True, critics_learn=True, critics_speak=True)
ROWS = 2


def update(config: TrainConfig = CONFIG, device: str = "cpu") -> Update:
    torch.manual_seed(6)
    model, average = Nano().to(device), Nano().to(device)
    average.load_state_dict(model.state_dict())
    return Update(config, model, average, CodebookLearner(model.quantizer.sound).to(device))


def inputs(device: str = "cpu", *, level: float = 0.1) -> StepInputs:
    generator = torch.Generator().manual_seed(7)
    return StepInputs(
        pcm=level * torch.randn(ROWS, 10 * 1280, generator=generator),
        layers=torch.tensor([16, 1]),
        phase=torch.zeros(ROWS, 1, dtype=torch.float64),
        position=torch.zeros(ROWS, 1, dtype=torch.int64),
    ).to(torch.device(device))


@pytest.mark.parametrize("lesson", [SPEAKING, TOGETHER, JUDGED], ids=["speaking", "together", "judged"])
def test_a_step_stays_on_its_device_and_waits_for_nothing(lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> None:
    # The two things that know their devices by name; neither makes tensors of its own.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    made_as = torch.optim.AdamW.__init__

    def plain(self: torch.optim.AdamW, parameters: Any, **settings: Any) -> None:
        made_as(self, parameters, **{**settings, "fused": False, "foreach": True, "capturable": True})

    monkeypatch.setattr(torch.optim.AdamW, "__init__", plain)
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self: None)
    made = update(device="meta")
    made.be_in(lesson.stage)
    given = inputs("meta")
    with Recorder() as recorder:
        figures = made(given, lesson)
    assert {value.device.type for value in figures.values()} == {"meta"}
    assert recorder.names.isdisjoint(WAITING), recorder.names & set(WAITING)
    assert recorder.devices == {"meta"}
    assert recorder.masks == 0, "indexing by a mask counts it first, and waits for the count"


def test_a_gradient_that_is_not_finite_changes_nothing_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    made = update()
    made.be_in(Stage.SPEAKING)
    made.set_learning_rate(1e-3, step=0)
    made(inputs(), SPEAKING)
    before = {name: tensor.clone() for name, tensor in made.model.named_parameters()}
    reconstruction = made._reconstruction

    def broken(*args: object) -> object:
        total, figures = reconstruction(*args)  # type: ignore[arg-type]
        return total * float("nan"), figures

    monkeypatch.setattr(made, "_reconstruction", broken)
    figures = made(inputs(), SPEAKING)
    assert figures["skipped_steps"] == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.model.named_parameters())
    monkeypatch.undo()
    made(inputs(), SPEAKING)
    assert any(not torch.equal(tensor, before[name]) for name, tensor in made.model.named_parameters())


def test_the_critics_have_the_say_that_the_settings_give_them() -> None:
    made = update()
    made.be_in(Stage.TURNED)
    source = inputs().pcm
    decoded = (source.roll(50, dims=1) * 0.5).requires_grad_()
    gradient = torch.randn_like(source)
    figures: dict[str, torch.Tensor] = {}
    said = made._hear_critics(decoded, source, gradient, JUDGED, figures)
    assert {"critics", "adversarial", "features"} <= set(figures)
    sizes = said.norm(dim=1) / gradient.norm(dim=1)
    assert CONFIG.feature_weight - CONFIG.adversarial_weight <= sizes[0]
    assert sizes[0] <= CONFIG.feature_weight + CONFIG.adversarial_weight
    assert sizes[1] == 0.0, "they look at the first rows only"
    listening = replace(JUDGED, critics_speak=False)
    assert not made._hear_critics(decoded, source, gradient, listening, {}).any()


def test_the_maps_before_the_quantiser_learn_where_they_are_given_a_pace() -> None:
    made = update()
    made.be_in(Stage.QUANTISED)
    assert made.model.encoder.patch.weight.requires_grad
    assert made.model.encoder.project.weight.requires_grad
    held = update(replace(CONFIG, map_pace=0.0))
    held.be_in(Stage.QUANTISED)
    assert not held.model.encoder.patch.weight.requires_grad
    assert not held.model.encoder.project.weight.requires_grad
    for stage in Stage:
        made.be_in(stage)
        learns = [name for name, p in made.model.encoder.named_parameters() if p.requires_grad]
        assert bool(learns) == (stage < Stage.TURNED)
        assert not [name for name in learns if name.startswith("tracker")]
