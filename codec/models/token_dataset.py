"""A token cache as a torch Dataset: whole recordings or random pieces of them, and batches padded as usual.

dataset = TokenDataset("speech.lmdb", frames=125)
loader = DataLoader(dataset, batch_size=32, shuffle=True, num_workers=4, collate_fn=collate_tokens)
for batch in loader:
    batch["audio_codes"]   # int64 [B, T, K], -1 behind the end of shorter ones
    batch["lengths"]       # int64 [B], frames
    batch["names"]         # list of B names
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from codec.checks import MISSING
from codec.errors import CodecError
from codec.formats.lmdb_cache import CacheReader


class TokenExample(TypedDict):
    """`audio_codes` int64 [T, K] of the recording `name`."""

    name: str
    audio_codes: Tensor


class TokenBatch(TypedDict):
    """`audio_codes` int64 [B, T, K], frames of -1 behind the end of a shorter one; `lengths` int64 [B] in frames."""

    names: list[str]
    audio_codes: Tensor
    lengths: Tensor


class TokenDataset(Dataset[TokenExample]):
    """The recordings of a cache by number, in the order of their names.

    frames: a piece of so many frames from a random place of each (a shorter recording whole); None: whole recordings.
    layers: the first K layers only; None: all the cache keeps. The random places come from torch's generator, which a
    DataLoader seeds in each of its workers. Workers may be forked or spawned. Raises TokenFileError, CodecError.
    """

    def __init__(self, cache: Path | str, *, frames: int | None = None, layers: int | None = None) -> None:
        self._cache = CacheReader(cache)
        self.spec = self._cache.spec
        self.layers = self._cache.layers if layers is None else layers
        if not 1 <= self.layers <= self._cache.layers:
            raise CodecError(f"{cache} keeps 1 to {self._cache.layers} layers a frame, not {self.layers}")
        if frames is not None and frames < 1:
            raise CodecError(f"A piece has 1 frame or more, not {frames}")
        self._frames = frames
        # One array instead of a list: forked workers then share it, where counting references would copy every name.
        self._names = np.array(list(self._cache.names()), dtype=np.str_)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> TokenExample:
        name = str(self._names[index])
        first = 0
        if self._frames is not None:
            spare = self._cache.num_frames(name) - self._frames
            first = int(torch.randint(spare + 1, (1,))) if spare > 0 else 0
        codes = self._cache.codes(name, first=first, frames=self._frames)[: self.layers]
        return {"name": name, "audio_codes": torch.from_numpy(codes.T.astype(np.int64))}


def collate_tokens(examples: Sequence[TokenExample]) -> TokenBatch:
    """Examples of any lengths as one batch."""
    lengths = [len(example["audio_codes"]) for example in examples]
    layers = examples[0]["audio_codes"].shape[1]
    codes = torch.full((len(examples), max(lengths), layers), MISSING, dtype=torch.int64)
    for row, example in zip(codes, examples, strict=True):
        row[: len(example["audio_codes"])] = example["audio_codes"]
    return {
        "names": [example["name"] for example in examples],
        "audio_codes": codes,
        "lengths": torch.tensor(lengths, dtype=torch.int64),
    }
