"""What the pitch of a recording is, as a careful tracker without delay hears it: the tracker's targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from codec.models.nano.config import NanoConfig
from codec.models.nano.train.data import Place, SpeechCorpus
from codec.models.nano.train.errors import TrainingDataError

BLOCK_S, CONTEXT_S = 30, 1
"""Long files are analysed in blocks, each with a second of its surroundings."""


def reference_pitch(audio: NDArray[np.int16], config: NanoConfig) -> NDArray[np.float32]:
    """Pitch in Hz, 0 where unvoiced, at every multiple of `hop` samples of `audio` [T]: [ceil(T / hop)].

    DIO, refined by StoneMask (Morise et al., 2009 and 2016; package pyworld).
    """
    try:
        import pyworld
    except ModuleNotFoundError as error:
        raise TrainingDataError(
            "The pitch tracker learns from pyworld's analysis: pip install 'voxwire[pitch]'"
        ) from error
    rate, hop = config.sample_rate, config.hop
    block, context = BLOCK_S * rate, CONTEXT_S * rate
    parts = []
    for start in range(0, len(audio), block):
        first, last = max(0, start - context), min(len(audio), start + block + context)
        wanted = -(-(min(len(audio), start + block) - start) // hop)
        samples = audio[first:last].astype(np.float64) / 32768.0
        coarse, times = pyworld.dio(
            samples,
            rate,
            f0_floor=config.pitch.lowest_hz,
            f0_ceil=config.pitch.highest_hz,
            frame_period=1000.0 * hop / rate,
        )
        track = pyworld.stonemask(samples, coarse, times, rate)[(start - first) // hop :][:wanted]
        parts.append(np.pad(track, (0, wanted - len(track))))
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)


class PitchTracks:
    """The reference pitch of every file of a corpus, computed once and kept beside the decoded audio."""

    def __init__(self, corpus: SpeechCorpus, config: NanoConfig, *, cache: Path, progress: bool) -> None:
        self.hop = config.hop
        self.tracks: dict[str, NDArray[np.float32]] = {}
        cache.mkdir(parents=True, exist_ok=True)
        for name, audio in tqdm(corpus.files.items(), desc="pitch", unit="file", disable=not progress):
            target = cache / (Path(name).stem + ".npy")
            if not target.exists():
                temporary = target.with_suffix(".new.npy")
                np.save(temporary, reference_pitch(audio, config))
                temporary.replace(target)
            self.tracks[name] = np.load(target, mmap_mode="r")

    def of(self, place: Place, length: int) -> NDArray[np.float32]:
        """Pitch at the ends of the hops of a segment [length], to the nearest hop: [length / hop]."""
        first = round((place.start - place.offset) / self.hop) + 1
        times = np.arange(length // self.hop)
        inside = (times * self.hop >= place.offset) & ((times + 1) * self.hop <= place.offset + place.length)
        track = self.tracks[place.file]
        known = inside & (first + times >= 0) & (first + times < len(track))
        return np.where(known, track[np.clip(first + times, 0, len(track) - 1)], 0.0).astype(np.float32)
