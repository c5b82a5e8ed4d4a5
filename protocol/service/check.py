"""What `check` found: one step after the other, each as `run` would have met it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from protocol.service.command import exit_code_of, sentence_of
from protocol.service.exit_codes import ExitCode


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One thing that was tried. `exit_code` is what `run` would end with."""

    name: str
    ok: bool
    detail: str
    exit_code: int = 0


@dataclass(slots=True)
class CheckReport:
    """All steps, in the order tried."""

    steps: list[CheckStep] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """Of the first step that failed, 0 where none did."""
        return next((step.exit_code for step in self.steps if not step.ok), 0)

    def add(self, name: str, probe: Callable[[], str]) -> None:
        """Try one thing; `probe` returns a sentence about it.

        Errors with an exit code are findings; others are bugs of ours and leave.
        """
        try:
            step = CheckStep(name, True, probe())
        except Exception as error:
            code = exit_code_of(error)
            if code is None:
                raise
            step = CheckStep(name, False, sentence_of(error), code or int(ExitCode.FAILURE))
        self.steps.append(step)

    def to_text(self) -> str:
        """One line a step."""
        width = max(len(step.name) for step in self.steps)
        return "\n".join(
            f"{'ok    ' if step.ok else 'FAILED'} {step.name:<{width}}  {step.detail}" for step in self.steps
        )

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"ok": self.exit_code == 0, "steps": [dataclasses.asdict(step) for step in self.steps]}
