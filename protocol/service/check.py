"""What `check` found: one step after the other, each as `run` would have met it. One shape for both ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from protocol.service.command import exit_code_of, sentence_of
from protocol.service.exit_codes import ExitCode

Verdict: TypeAlias = Literal["ok", "note", "warning", "failed"]
"""note: not tried, or not needed. warning: `run` works, and somebody should look. failed: `run` would end."""

_SHOWN: Final[Mapping[Verdict, str]] = {"ok": "ok", "note": "-", "warning": "WARNING", "failed": "FAILED"}
_REMEDIES: Final[Mapping[int, str]] = {
    ExitCode.NO_INPUT: "look at the path, at its spelling and at who may read it",
    ExitCode.BROKER_UNAVAILABLE: "start the broker; see that it listens to this machine, at this port, and that no "
    "firewall stands between (nc -vz HOST PORT)",
    ExitCode.AUDIO_DEVICE: "list the sound cards with `devices` and name one of them",
    ExitCode.CODEC_MISMATCH: "install the version or the model that the sentence names",
    ExitCode.NOT_AUTHORISED: "compare user, password and certificate with what the broker knows, and its access rules",
    ExitCode.CONFIGURATION: "correct the setting: `config print` shows where it came from",
}
_INDENT: Final = " " * 9


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe found, in words. remedy: what to do about it. exit_code: what `run` would end with.

    figures: what was measured, by name with its unit, for machines.
    """

    detail: str
    verdict: Verdict = "ok"
    remedy: str | None = None
    exit_code: int = 0
    figures: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckStep:
    """A finding and what was tried."""

    name: str
    finding: Finding

    @property
    def ok(self) -> bool:
        """Would `run` get past this?"""
        return self.finding.verdict != "failed"


@dataclass(slots=True)
class CheckReport:
    """All steps, in the order tried."""

    steps: list[CheckStep] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """Of the first step that failed, 0 where none did."""
        return next((step.finding.exit_code for step in self.steps if not step.ok), 0)

    def add(self, name: str, probe: Callable[[], Finding | str]) -> bool:
        """Try one thing; `probe` returns what it found, or just a sentence. True where `run` would get past it.

        Errors with an exit code are findings; others are bugs of ours and leave.
        """
        try:
            found = probe()
            finding = Finding(found) if isinstance(found, str) else found
        except Exception as error:
            code = exit_code_of(error)
            if code is None:
                raise
            code = code or int(ExitCode.FAILURE)
            finding = Finding(sentence_of(error), "failed", _REMEDIES.get(code), code)
        self.steps.append(CheckStep(name, finding))
        return self.steps[-1].ok

    def to_text(self) -> str:
        """One line a step, the remedy below it, the verdict at the end."""
        width = max((len(step.name) for step in self.steps), default=0)
        lines = []
        for step in self.steps:
            lines.append(f"{_SHOWN[step.finding.verdict]:<8} {step.name:<{width}}  {step.finding.detail}")
            if step.finding.remedy is not None:
                lines.append(f"{_INDENT}{'':<{width}}  -> {step.finding.remedy}")
        return "\n".join([*lines, self._summary()])

    def to_dict(self) -> dict[str, object]:
        """For JSON: `ok`, `exit_code` and `steps`, each with name, ok, verdict, detail, remedy, exit_code, figures."""
        steps = [{"name": step.name, "ok": step.ok, **dataclasses.asdict(step.finding)} for step in self.steps]
        return {"ok": self.exit_code == 0, "exit_code": self.exit_code, "steps": steps}

    def _summary(self) -> str:
        failed = [step.name for step in self.steps if not step.ok]
        if failed:
            return f"Not ready: {', '.join(failed)}; run would end with exit code {self.exit_code}."
        warnings = [step.name for step in self.steps if step.finding.verdict == "warning"]
        return f"Ready, with a warning about {', '.join(warnings)}." if warnings else "Ready."
