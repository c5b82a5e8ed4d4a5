"""What a training run is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from codec.models.nano.train.augmentation import Augmentation


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One run; every field can be given on the command line."""

    data: Path
    """Folder with index.jsonl and the audio files that it names."""
    out: Path
    """Folder for the checkpoint, the log and the decoded audio cache."""
    pitch: Path | None
    """Checkpoint of the pitch tracker (`train.pitch`), for a new run."""
    minutes: float
    """Length of the whole schedule; a resumed run goes on where it was."""
    device: str = "cpu"
    seed: int = 1
    batch_size: int = 16
    segment_s: float = 1.28
    workers: int = 0
    """Processes that make the batches; none: the training does it itself, between its steps."""
    augmentation: Augmentation | None = field(default_factory=Augmentation)
    """None: only the level of a segment varies."""
    learning_rate: float = 7e-4
    betas: tuple[float, float] = (0.8, 0.98)
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    commitment: float = 0.25
    encoder_pace: float = 0.25
    """Share of the learning rate for the encoder once its latent is quantised: the codebooks have to follow it."""
    map_pace: float = 0.0
    """The same for the linear maps before the quantiser. Codebooks follow them only where batches are large."""
    unquantised_share: float = 0.25
    """Share of the schedule before the quantiser is put in: reconstruction first."""
    unturned_share: float = 0.55
    """Share of the schedule before the latent is turned and the encoder held."""
    critics: bool = False
    """Whether the decoder learns from critics in the end: they double a step on a GPU, and are slow without one."""
    critics_share: float = 0.68
    """Share of the schedule before they have a say: they learn beside it from the turn of the latent on."""
    critics_rows: int = 32
    """Rows of a batch that the critics look at, at most."""
    critics_learning_rate: float = 3e-4
    adversarial_weight: float = 0.3
    """Size of the gradient of the critics' judgement, as a share of that of the other losses."""
    feature_weight: float = 0.5
    """The same for the difference in what the critics' layers see."""
    loudness_weight: float = 0.3
    """Of the loudness loss."""
    envelope_weight: float = 1.5
    """Of the envelope correlation loss."""
    envelope_share: float = 0.5
    """Share of the schedule before that loss is put in: it polishes, it does not teach to speak."""
    average_decay: float = 0.998
    """Of the moving average of the weights that is validated and exported."""
    checkpoint_minutes: float = 5.0
    validation_minutes: float = 10.0
    autocast: bool = False
    """bfloat16 where the processor or GPU has it; slower on CPUs that do not."""
