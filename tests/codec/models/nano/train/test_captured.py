from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch

from codec.models.nano.train import captured
from codec.models.nano.train.captured import CapturedSteps
from codec.models.nano.train.schedule import Lesson
from codec.models.nano.train.stages import Stage
from codec.models.nano.train.update import Figures, StepInputs

LESSON = Lesson(Stage.QUANTISED, envelope=True, critics_learn=False, critics_speak=False)
NEXT = replace(LESSON, stage=Stage.TURNED)


@dataclass
class Counting:
    """A step that adds up what it is given."""

    calls: int = 0
    total: torch.Tensor = field(default_factory=lambda: torch.zeros(()))

    def __call__(self, inputs: StepInputs, lesson: Lesson) -> Figures:
        self.calls += 1
        self.total += inputs.pcm.sum()
        return {"loss": self.total}


def inputs(value: float, device: str = "cpu") -> StepInputs:
    zeros = torch.zeros(1, 1, dtype=torch.int64, device=device)
    return StepInputs(torch.full((1, 4), value, device=device), zeros[0], zeros.double(), zeros)


def test_without_a_gpu_every_step_is_just_done() -> None:
    step = Counting()
    steps = CapturedSteps(step)
    figures = [float(steps(inputs(value), LESSON)["loss"]) for value in (1.0, 2.0)]
    assert figures == [4.0, 12.0]
    assert step.calls == 2


def test_a_lesson_is_captured_once_and_repeated_with_the_inputs_of_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    captures: list[Any] = []

    class Replaying:
        def __init__(self, device: torch.device) -> None: ...

        def capture(self, step: Any) -> Any:
            step()
            captures.append(step)
            return step

    monkeypatch.setattr(captured, "GraphCapture", Replaying)
    monkeypatch.setattr(captured, "_on_gpu", lambda _: True)
    step = Counting()
    steps = CapturedSteps(step)
    for value in (1.0, 2.0, 3.0):
        figures = steps(inputs(value), LESSON)
    assert len(captures) == 1
    assert float(figures["loss"]) == 4 * (1 + 1 + 2 + 3)  # the first one also while it was captured
    steps(inputs(1.0), NEXT)
    assert len(captures) == 2
    steps.forget()
    steps(inputs(1.0), NEXT)
    assert len(captures) == 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU here")
def test_on_a_gpu_a_repeated_step_does_what_the_step_does() -> None:
    step = Counting(total=torch.zeros((), device="cuda"))
    steps = CapturedSteps(step)
    steps(inputs(1.0, "cuda"), LESSON)
    before, calls = float(step.total), step.calls
    figures = steps(inputs(2.0, "cuda"), LESSON)
    assert float(figures["loss"]) - before == 8.0
    assert step.calls == calls
