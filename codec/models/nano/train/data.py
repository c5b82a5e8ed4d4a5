"""Speech to train on: random segments of the recordings that an index lists."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from codec.models.nano.train.augmentation import Augmentation
from codec.models.nano.train.errors import TrainingDataError

MIN_BANDWIDTH_HZ = 7000
"""Recordings with less bandwidth teach a dull voice."""
WORDS_WEIGHT = 0.35
"""Single words count for less than sentences: they repeat."""
SPEAKER_CAP_S = 1800.0
"""Seconds for which one speaker's recordings are drawn at most: a single reader must not become the norm."""
VALIDATION_SHARE = 0.04
PEAKS_DBFS = (-26.0, -0.5)
"""Of segments that are not augmented."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording inside a file; positions in samples."""

    file: str
    start: int
    length: int
    speaker: str
    weight: float


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a file, and where it stands in a segment; positions in samples."""

    file: str
    start: int
    offset: int
    length: int


def read_index(folder: Path, sample_rate: int) -> list[Clip]:
    """Clips of `index.jsonl` with the bandwidth that is needed, weighted for drawing."""
    index = folder / "index.jsonl"
    if not index.exists():
        raise TrainingDataError(
            f"No index.jsonl in {folder}: expected one JSON line a clip (file, start, seconds, speaker)"
        )
    rows = [json.loads(line) for line in index.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["bandwidth_hz"] >= MIN_BANDWIDTH_HZ and row["seconds"] >= 0.4]
    spoken: dict[str, float] = {}
    for row in rows:
        spoken[row["speaker"]] = spoken.get(row["speaker"], 0.0) + row["seconds"]
    clips = []
    for row in rows:
        # Sets whose speakers are not named count as many voices: they are not capped.
        named = "unknown" not in row["speaker"]
        cap = min(1.0, SPEAKER_CAP_S / spoken[row["speaker"]]) if named else 1.0
        kind = 1.0 if row["kind"] == "sentences" else WORDS_WEIGHT
        clips.append(
            Clip(
                file=row["file"],
                start=round(row["start"] * sample_rate),
                length=round(row["seconds"] * sample_rate),
                speaker=row["speaker"],
                weight=row["seconds"] * kind * cap,
            )
        )
    return clips


def split_by_speaker(clips: list[Clip], *, seed: int) -> tuple[list[Clip], list[Clip]]:
    """Training and validation clips that share no speaker; validation takes named speakers with little speech."""
    spoken: dict[str, int] = {}
    for clip in clips:
        spoken[clip.speaker] = spoken.get(clip.speaker, 0) + clip.length
    total = sum(spoken.values())
    candidates = sorted(s for s, n in spoken.items() if n < 0.01 * total and "unknown" not in s)
    np.random.default_rng(seed).shuffle(candidates)
    held: set[str] = set()
    taken = 0
    for speaker in candidates:
        if taken >= VALIDATION_SHARE * total:
            break
        held.add(speaker)
        taken += spoken[speaker]
    return [c for c in clips if c.speaker not in held], [c for c in clips if c.speaker in held]


class SpeechCorpus:
    """Random segments of the clips; audio is decoded once into int16 arrays on disk and mapped from there."""

    def __init__(self, folder: Path, clips: list[Clip], *, cache: Path, sample_rate: int, progress: bool) -> None:
        self.clips = clips
        self.files: dict[str, NDArray[np.int16]] = {}
        cache.mkdir(parents=True, exist_ok=True)
        names = sorted({clip.file for clip in clips})
        for name in tqdm(names, desc="decoding audio", unit="file", disable=not progress):
            self.files[name] = _mapped(folder / name, cache, sample_rate)
        weights = np.array([clip.weight for clip in clips])
        self.cumulative = np.cumsum(weights / weights.sum())

    def place(self, rng: np.random.Generator, length: int) -> Place:
        """Where `length` random samples are to come from: a random clip, a random place in it."""
        clip = self.clips[min(int(np.searchsorted(self.cumulative, rng.random())), len(self.clips) - 1)]
        room = clip.length - length
        if room > 0:
            return Place(clip.file, clip.start + int(rng.integers(0, room + 1)), 0, length)
        return Place(clip.file, clip.start, int(rng.integers(0, 1 - room)), clip.length)

    def read(self, place: Place, length: int) -> NDArray[np.float32]:
        """The `length` samples of a place in [-1, 1]; a shorter clip stands in silence."""
        piece = self.files[place.file][place.start : place.start + place.length]
        out = np.zeros(length, np.float32)
        out[place.offset : place.offset + len(piece)] = piece.astype(np.float32) / 32768.0
        return out

    def segment(self, rng: np.random.Generator, length: int) -> NDArray[np.float32]:
        """`length` samples in [-1, 1] of a random clip at a random place."""
        return self.read(self.place(rng, length), length)

    def batch(
        self, rng: np.random.Generator, *, size: int, length: int, augmentation: Augmentation | None = None
    ) -> Tensor:
        """pcm [size, length] with random levels, as microphones have; `augmentation` varies much else besides."""
        return torch.from_numpy(np.stack([self._row(rng, length, augmentation) for _ in range(size)]))

    def _row(self, rng: np.random.Generator, length: int, augmentation: Augmentation | None) -> NDArray[np.float32]:
        if augmentation is not None:
            piece = self.segment(rng, augmentation.source_length(length))
            return augmentation.apply(piece, rng, length=length, noise=self.segment)
        piece = self.segment(rng, length)
        peak = float(np.abs(piece).max())
        return piece * np.float32(10.0 ** (rng.uniform(*PEAKS_DBFS) / 20.0) / max(peak, 1e-3))


def _mapped(path: Path, cache: Path, sample_rate: int) -> NDArray[np.int16]:
    target = cache / (path.stem + ".npy")
    if not target.exists():
        audio, rate = soundfile.read(path, dtype="int16")
        if rate != sample_rate or audio.ndim != 1:
            raise TrainingDataError(f"{path} is {rate} Hz with shape {audio.shape}: expected {sample_rate} Hz mono")
        temporary = target.with_suffix(".new.npy")
        np.save(temporary, audio)
        temporary.replace(target)
    mapped: NDArray[np.int16] = np.load(target, mmap_mode="r")
    return mapped
