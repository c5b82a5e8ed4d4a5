"""What a run leaves on disk: its checkpoint, whole enough to go on from, and its log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from codec.errors import CheckpointError
from codec.models.checkpoint import load_checkpoint, save_checkpoint
from codec.models.nano.train.stages import Stage
from codec.models.nano.train.update import Update


@dataclass(slots=True)
class Progress:
    """Where a run is."""

    step: int = 0
    elapsed_s: float = 0.0
    stage: Stage = Stage.SPEAKING
    from_release: bool = False


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of a run: `checkpoint/` and `log.jsonl`."""

    path: Path

    def log(self, figures: Mapping[str, float]) -> None:
        """Add a line to the log."""
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({k: round(v, 5) for k, v in figures.items()}) + "\n")

    def save(self, update: Update, progress: Progress, about: Mapping[str, Any]) -> None:
        """Write the whole run into the checkpoint."""
        tensors: dict[str, Tensor] = {}
        for prefix, module in _modules(update).items():
            tensors |= {f"{prefix}.{k}": v for k, v in module.state_dict().items()}
        tensors |= {f"learner.{k}": v for k, v in update.learner.named_buffers(recurse=False)}
        for prefix, optimizer in _optimizers(update).items():
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"{prefix}.{index}.{k}": v for k, v in state.items()}
        save_checkpoint(self.path / "checkpoint", tensors, {**asdict(progress), "stage": int(progress.stage), **about})

    def restore(self, update: Update) -> Progress:
        """Put the checkpoint back into a run; where that one was. Raises CheckpointError."""
        tensors, about = load_checkpoint(self.path / "checkpoint")
        if "from_release" not in about:
            raise CheckpointError(
                f"The checkpoint in {self.path} is no run of this recipe that could go on: begin one in another folder "
                f"from its weights, with --init {self.path / 'checkpoint'}"
            )
        stage = Stage(about["stage"])
        for prefix, module in _modules(update).items():
            module.load_state_dict(_below(tensors, prefix))
        update.learner.load_state_dict(_below(tensors, "learner"), strict=False)
        for prefix, optimizer in _optimizers(update).items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _below(tensors, prefix).items():
                index, name = key.split(".", 1)
                state.setdefault(int(index), {})[name] = value
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        update.be_in(stage)
        return Progress(about["step"], about["elapsed_s"], stage, about["from_release"])


def _modules(update: Update) -> dict[str, nn.Module]:
    return {"model": update.model, "average": update.average, "critics": update.critics}


def _optimizers(update: Update) -> dict[str, torch.optim.Optimizer]:
    return {"optimizer": update.optimizer, "critics_optimizer": update.critics_optimizer}


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(f"{prefix}."): v for k, v in tensors.items() if k.startswith(f"{prefix}.")}
