"""Batches made beside the training, in processes of their own, the same ones whatever their number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from codec.models.nano.train.augmentation import Augmentation
from codec.models.nano.train.data import SpeechCorpus

AHEAD = 4
"""Batches that each process has ready."""

Key = tuple[int, ...]
"""What a batch is made from: equal keys give equal batches."""


@dataclass(frozen=True)
class Batches(Dataset[Tensor]):
    """Random segments of a corpus, pcm [size, length], by key."""

    corpus: SpeechCorpus
    size: int
    length: int
    augmentation: Augmentation | None

    def __getitem__(self, key: Key) -> Tensor:
        rng = np.random.default_rng(key)
        return self.corpus.batch(rng, size=self.size, length=self.length, augmentation=self.augmentation)

    def each(self, keys: Iterable[Key], *, workers: int, pin: bool) -> Iterator[Tensor]:
        """The batches of `keys` in their order; `workers` processes make them, or this one where there are none.

        pin: into memory that a GPU takes copies from by itself.
        """
        if not workers:
            return (self[key] for key in keys)
        loader = DataLoader(
            self,
            batch_size=None,
            sampler=keys,
            num_workers=workers,
            prefetch_factor=AHEAD,
            pin_memory=pin,
            worker_init_fn=_one_thread,
        )
        return iter(loader)


def _one_thread(_worker: int) -> None:
    torch.set_num_threads(1)
