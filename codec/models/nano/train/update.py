"""One step of training: losses, gradients, weights, codebooks and averages."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from codec.models.nano.config import PITCH_LAYER
from codec.models.nano.model import Nano
from codec.models.nano.train.codebooks import CodebookLearner
from codec.models.nano.train.config import TrainConfig
from codec.models.nano.train.critics import Critics
from codec.models.nano.train.losses import EnvelopeCorrelationLoss, LoudnessLoss, MultiResolutionMelLoss
from codec.models.nano.train.schedule import Lesson
from codec.models.nano.train.stages import Stage

ADDITIONS = 0.3
"""Weight of what was added among the disturbances of loudness."""
LINEAR_MAP_PACE = 0.2
"""Share of the learning rate for the decoder's map from latent to log-mel patch, which begins where it ought to be."""
CRITICS_BETAS = (0.5, 0.9)

Figures = dict[str, Tensor]
"""Numbers of a step, each [] and on the device."""


@dataclass(frozen=True, slots=True)
class StepInputs:
    """What a step is given, on the device."""

    pcm: Tensor
    """[B, T] float32."""
    layers: Tensor
    """How many layers of codes each row has, [B] int64."""
    phase: Tensor
    """Turns at which the harmonics of each row begin, [B, 1] float64."""
    position: Tensor
    """Hop of the table at which its noise begins, [B, 1] int64."""

    def to(self, device: torch.device) -> StepInputs:
        """The same on another device; a copy from pinned memory does not wait."""
        return StepInputs(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))

    def copy_(self, other: StepInputs) -> None:
        """Take over what another one holds."""
        for field in fields(self):
            getattr(self, field.name).copy_(getattr(other, field.name), non_blocking=True)


class Update:
    """Changes the model, its average, its codebooks and the critics by one step.

    A step asks the device for no value, so that it can be captured as a graph; what depends on one (a gradient that is
    not finite) is decided there. Learning rates are tensors for the same reason: `set_learning_rate` changes them.
    """

    def __init__(self, config: TrainConfig, model: Nano, average: Nano, learner: CodebookLearner) -> None:
        self.config, self.model, self.average, self.learner = config, model, average, learner
        device = next(model.parameters()).device
        rate = model.config.sample_rate
        self.loss = MultiResolutionMelLoss(rate).to(device)
        self.loudness_loss = LoudnessLoss(rate).to(device)
        self.envelope_loss = EnvelopeCorrelationLoss(rate).to(device)
        self.critics = Critics().to(device)
        self.critics.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        model.encoder.tracker.requires_grad_(False)
        self.optimizer = self._optimizer(device)
        self.critics_optimizer = torch.optim.AdamW(
            self.critics.parameters(),
            lr=config.critics_learning_rate,
            betas=CRITICS_BETAS,
            fused=True,
            capturable=device.type == "cuda",
        )
        self.average_decay = torch.zeros((), device=device)
        self.skipped_steps = torch.zeros((), device=device)
        """Whose gradient was not finite."""
        self.be_in(Stage.SPEAKING)

    def _optimizer(self, device: torch.device) -> torch.optim.AdamW:
        encoder = self.model.encoder
        groups = {
            "encoder": list(encoder.layers.parameters()),
            "map": [*encoder.project.parameters(), *encoder.patch.parameters()],
            "decoder_map": list(self.model.decoder.patch.parameters()),
        }
        named = {id(parameter) for group in groups.values() for parameter in group}
        tracker = {id(parameter) for parameter in encoder.tracker.parameters()}
        groups["rest"] = [p for p in self.model.parameters() if id(p) not in named | tracker]
        paces = {"decoder_map": LINEAR_MAP_PACE}
        return torch.optim.AdamW(
            [
                {
                    "params": parameters,
                    "name": name,
                    "pace": paces.get(name, 1.0),
                    # A number would be fixed in a captured graph.
                    "lr": torch.tensor(self.config.learning_rate, device=device),
                }
                for name, parameters in groups.items()
            ],
            betas=self.config.betas,
            weight_decay=self.config.weight_decay,
            fused=True,
            capturable=device.type == "cuda",
        )

    def be_in(self, stage: Stage) -> None:
        """What learns in a stage, and how fast."""
        encoder, decoder = self.model.encoder, self.model.decoder
        quantised, turned = stage >= Stage.QUANTISED, stage >= Stage.TURNED
        decoder.join.weight.requires_grad_(quantised)  # it stays out of the first stage: see `leave_out_patches`
        encoder.layers.requires_grad_(not turned)
        encoder.project.requires_grad_(not turned and (not quantised or self.config.map_pace > 0.0))
        encoder.patch.requires_grad_(not turned and quantised and self.config.map_pace > 0.0)
        for group in self.optimizer.param_groups:
            if group["name"] == "encoder":
                group["pace"] = self.config.encoder_pace if quantised else 1.0
            elif group["name"] == "map":
                group["pace"] = self.config.map_pace if quantised else 1.0

    def set_learning_rate(self, rate: float, *, step: int) -> None:
        """Of the next step, which is the run's `step`th: for each group by its pace; and how slowly averages move."""
        for group in self.optimizer.param_groups:
            group["lr"].fill_(rate * group["pace"])
        self.average_decay.fill_(min(self.config.average_decay, (1 + step) / (10 + step)))

    def __call__(self, inputs: StepInputs, lesson: Lesson) -> Figures:
        """One step; returns its losses."""
        self.model.train()
        pcm, delay = inputs.pcm, self.model.config.delay_samples
        # Without its cache: a graph must convert the weights each time that it runs.
        mixed = torch.autocast(pcm.device.type, torch.bfloat16, enabled=self.config.autocast, cache_enabled=False)
        with mixed:
            latent = self.model.encoder.offline(pcm)
        restored, commitment = self._quantise(latent.float(), inputs.layers, lesson.stage)
        with mixed:
            decoded, _ = self.model.decoder(restored, self._beginning(inputs))
        decoded, source = decoded[:, delay:].float(), pcm[:, :-delay]
        # The gradients of the losses are weighed against each other where they all meet: at the decoded signal.
        heard = decoded.detach().requires_grad_()
        total, figures = self._reconstruction(heard, source, lesson)
        (gradient,) = torch.autograd.grad(total, heard)
        if lesson.critics_learn:
            gradient = gradient + self._hear_critics(heard, source, gradient, lesson, figures)
        self.optimizer.zero_grad(set_to_none=True)
        roots, gradients = [decoded], [gradient]
        if commitment.requires_grad:
            roots.append(commitment)
            gradients.append(torch.full_like(commitment, self.config.commitment))
        torch.autograd.backward(roots, gradients)
        norm = self._clip()
        self._step(self.optimizer, norm)
        self._follow_average()
        figures |= {"commitment": commitment, "gradient_norm": norm, "skipped_steps": self.skipped_steps}
        return {name: value.detach() for name, value in figures.items()}

    def _clip(self) -> Tensor:
        """Clip the gradients, group by group: those before the quantiser are many times as large, and would rule all.

        Returns the largest norm.
        """
        norms = [
            nn.utils.clip_grad_norm_(learning, self.config.gradient_clip)
            for group in self.optimizer.param_groups
            if (learning := [p for p in group["params"] if p.grad is not None])
        ]
        return torch.stack(norms).amax()

    def _step(self, optimizer: torch.optim.Optimizer, norm: Tensor) -> None:
        """A step of the optimiser; none, and counted, where the gradient is not finite."""
        unusable = (~torch.isfinite(norm)).float()
        self.skipped_steps += unusable
        # What a gradient scaler tells it; the fused kernels then leave weights and moments alone.
        optimizer.grad_scale, optimizer.found_inf = None, unusable  # type: ignore[attr-defined]
        optimizer.step()

    def _reconstruction(self, decoded: Tensor, source: Tensor, lesson: Lesson) -> tuple[Tensor, Figures]:
        spectral = self.loss(decoded, source)
        everything, additions = self.loudness_loss(decoded, source)
        loudness = everything + ADDITIONS * additions
        total = spectral + self.config.loudness_weight * loudness
        figures = {"loss": spectral, "loudness": loudness}
        if lesson.envelope:
            figures["envelope"] = self.envelope_loss(decoded, source)
            total = total + self.config.envelope_weight * figures["envelope"]
        return total, figures

    def _hear_critics(
        self, decoded: Tensor, source: Tensor, gradient: Tensor, lesson: Lesson, figures: Figures
    ) -> Tensor:
        """Let the critics learn; what they have to say of decoded [B, T] as a gradient, sized by that of the rest."""
        rows = self.config.critics_rows
        decoded, source = decoded[:rows], source[:rows]
        mixed = torch.autocast(
            source.device.type, torch.bfloat16, enabled=source.device.type == "cuda", cache_enabled=False
        )
        with mixed:
            learned = self.critics.loss(decoded, source)
        self.critics_optimizer.zero_grad(set_to_none=True)
        learned.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.critics.parameters(), self.config.gradient_clip)
        self._step(self.critics_optimizer, norm)
        figures["critics"] = learned
        if not lesson.critics_speak:
            return torch.zeros_like(gradient)
        with mixed:
            opinion = self.critics.opinion(decoded, source)
        figures |= {"adversarial": opinion.adversarial, "features": opinion.features}
        size = gradient[:rows].norm(dim=1, keepdim=True)
        said = torch.zeros_like(gradient[:rows])
        for loss, weight in (
            (opinion.adversarial, self.config.adversarial_weight),
            (opinion.features, self.config.feature_weight),
        ):
            (part,) = torch.autograd.grad(loss, decoded, retain_graph=True)
            said = said + weight * size * part / part.norm(dim=1, keepdim=True).clamp(min=1e-12)
        return functional.pad(said, (0, 0, 0, len(gradient) - len(said)))

    def _quantise(self, latent: Tensor, layers: Tensor, stage: Stage) -> tuple[Tensor, Tensor]:
        """What the decoder gets of `latent` through the first `layers` [B] layers, and the commitment loss."""
        quantizer = self.model.quantizer
        parts = quantizer.split(quantizer.project(latent))
        if stage is Stage.SPEAKING:
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

    def _beginning(self, inputs: StepInputs) -> dict[str, Tensor]:
        """The state of a decoder that begins, but at any phase of its harmonics and place in its noise."""
        state = self.model.decoder.initial_state(len(inputs.pcm))
        for name in state:
            if name.endswith("harmonics.phase"):
                state[name] = inputs.phase
            elif name.endswith("noise.position"):
                state[name] = inputs.position
        return state

    @torch.no_grad()
    def _follow_average(self) -> None:
        ours: list[Tensor] = list(self.model.parameters())
        theirs: list[Tensor] = list(self.average.parameters())
        steps = torch._foreach_sub(ours, theirs)
        torch._foreach_mul_(steps, 1.0 - self.average_decay)
        torch._foreach_add_(theirs, list(steps))
        tables = dict(self.model.quantizer.named_buffers())
        for name, table in self.average.quantizer.named_buffers():
            table.copy_(tables[name])
