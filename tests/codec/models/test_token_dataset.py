"""A token cache behind a torch DataLoader."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from codec.errors import CodecError
from codec.formats.lmdb_writer import CacheWriter
from codec.models.token_dataset import TokenDataset, collate_tokens
from codec.spec import CodecSpec

SPEC = CodecSpec("made-up", 16000, 1280, 16, 2048, 0, "1" * 64)
LENGTHS = {"a": 5, "b": 40, "c": 100}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frame t of a recording has code t in each of its layers."""
    path = tmp_path_factory.mktemp("cache") / "a.lmdb"
    with CacheWriter(path, SPEC) as writer:
        for name, frames in LENGTHS.items():
            sink = writer.sink(name, {})
            sink.write(np.tile(np.arange(frames), (16, 1)))
            sink.finish(frames * 1280)
    return path


def test_whole_recordings_come_in_the_order_of_their_names(cache: Path) -> None:
    dataset = TokenDataset(cache)
    examples = [dataset[index] for index in range(len(dataset))]
    assert [(example["name"], len(example["audio_codes"])) for example in examples] == list(LENGTHS.items())
    codes = dataset[1]["audio_codes"]
    assert (codes.dtype, codes.shape) == (torch.int64, (40, 16))
    assert torch.equal(codes[:, 15], torch.arange(40))


def test_pieces_are_of_one_length_from_random_places(cache: Path) -> None:
    dataset = TokenDataset(cache, frames=20, layers=2)
    torch.manual_seed(0)
    starts = set()
    for _ in range(30):
        codes = dataset[2]["audio_codes"]
        assert codes.shape == (20, 2)
        assert torch.equal(codes[:, 0], codes[0, 0] + torch.arange(20))
        starts.add(int(codes[0, 0]))
    assert len(starts) > 10
    assert dataset[0]["audio_codes"].shape == (5, 2)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_worker_reads_the_same_as_the_process_itself(cache: Path) -> None:
    dataset = TokenDataset(cache)
    assert len(dataset[0]["audio_codes"]) == 5  # the file is open here before anybody forks
    loader = DataLoader(dataset, batch_size=2, num_workers=1, collate_fn=collate_tokens, multiprocessing_context="fork")
    batches = list(loader)
    assert [batch["names"] for batch in batches] == [["a", "b"], ["c"]]
    assert batches[0]["lengths"].tolist() == [5, 40]
    assert batches[0]["audio_codes"].shape == (2, 40, 16)
    assert (batches[0]["audio_codes"][0, 5:] == -1).all()
    assert torch.equal(batches[1]["audio_codes"][0, :, 3], torch.arange(100))


def test_a_worker_that_is_spawned_gets_a_copy_that_reads(cache: Path) -> None:
    dataset = TokenDataset(cache, frames=7)
    assert len(dataset[2]["audio_codes"]) == 7
    copy = pickle.loads(pickle.dumps(dataset))
    assert len(copy[2]["audio_codes"]) == 7


@pytest.mark.parametrize(("options", "words"), [({"layers": 17}, "1 to 16 layers"), ({"frames": 0}, "1 frame or more")])
def test_impossible_pieces_are_refused(cache: Path, options: dict[str, int], words: str) -> None:
    with pytest.raises(CodecError, match=words):
        TokenDataset(cache, **options)
