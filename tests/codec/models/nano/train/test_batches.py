from __future__ import annotations

from pathlib import Path

import pytest
import torch

from codec.models.nano.train.augmentation import Augmentation
from codec.models.nano.train.batches import Batches
from codec.models.nano.train.data import SpeechCorpus, read_index

RATE = 16_000
KEYS = [(1, step) for step in range(5)]


@pytest.fixture
def batches(speech: Path, tmp_path: Path) -> Batches:
    corpus = SpeechCorpus(speech, read_index(speech, RATE), cache=tmp_path, sample_rate=RATE, progress=False)
    return Batches(corpus, size=2, length=RATE // 2, augmentation=Augmentation())


def test_a_key_makes_the_same_batch_every_time(batches: Batches) -> None:
    once, again = batches[1, 3], batches[1, 3]
    assert once.shape == (2, RATE // 2)
    assert torch.equal(once, again)
    assert not torch.equal(once, batches[1, 4])


def test_another_process_makes_the_same_batches_in_the_same_order(batches: Batches) -> None:
    ours = list(batches.each(KEYS, workers=0, pin=False))
    theirs = list(batches.each(KEYS, workers=1, pin=False))
    assert len(ours) == len(theirs) == len(KEYS)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
