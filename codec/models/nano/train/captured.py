"""Steps as graphs of a GPU: two thousand kernels started at once instead of one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from codec.models.live.graph import GraphCapture
from codec.models.nano.train.schedule import Lesson
from codec.models.nano.train.update import Figures, StepInputs

Step = Callable[[StepInputs, Lesson], Figures]


@dataclass(frozen=True, slots=True)
class _Captured:
    lesson: Lesson
    inputs: StepInputs
    replay: Callable[[], None]
    figures: Figures


class CapturedSteps:
    """Does what `step` does; on a GPU, the steps of a lesson are captured once and then repeated.

    The first batch of a lesson is learned from a few times over: on it the libraries choose their kernels.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._captured: _Captured | None = None

    def forget(self) -> None:
        """Capture anew: something that a step reads or writes has moved."""
        self._captured = None

    def __call__(self, inputs: StepInputs, lesson: Lesson) -> Figures:
        """One step; on a GPU the figures hold until the next one."""
        if not _on_gpu(inputs):
            return self._step(inputs, lesson)
        captured = self._captured
        if captured is None or captured.lesson != lesson:
            self._captured = None  # its memory is free before the next one takes some
            captured = self._captured = self._capture(inputs, lesson)
        captured.inputs.copy_(inputs)
        captured.replay()
        return captured.figures

    def _capture(self, inputs: StepInputs, lesson: Lesson) -> _Captured:
        kept = StepInputs(*(getattr(inputs, field.name).clone() for field in fields(StepInputs)))
        figures: Figures = {}

        def step() -> None:
            figures.update(self._step(kept, lesson))

        return _Captured(lesson, kept, GraphCapture(inputs.pcm.device).capture(step), figures)


def _on_gpu(inputs: StepInputs) -> bool:
    return inputs.pcm.device.type == "cuda"
