"""What is asked, in which order, and which version is A."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.listening.album import Contents
from benchmarks.listening.clips import ListeningError
from benchmarks.listening.trials import DEFAULT_PAIRS, check_pairs, deal, parse_pairs
from benchmarks.listening.versions import VERSIONS

PAIRS = (("fine", "plain"), ("fine", "rough"))


@pytest.fixture
def contents(tones: Path) -> Contents:
    return Contents.read(tones)


def test_every_clip_meets_every_pair_once(contents: Contents) -> None:
    trials = deal(contents, PAIRS, seed=1)
    assert sorted((trial.clip, trial.pair) for trial in trials) == sorted(
        (clip.name, pair) for clip in contents.clips for pair in PAIRS
    )
    assert all(sorted(trial.order) == sorted(trial.pair) for trial in trials)


def test_a_seed_gives_one_order_and_others_give_others(contents: Contents) -> None:
    dealt = [[(trial.clip, trial.order) for trial in deal(contents, PAIRS, seed=seed)] for seed in (1, 1, 2)]
    assert dealt[0] == dealt[1] != dealt[2]


def test_each_side_is_as_likely(contents: Contents) -> None:
    trials = [trial for seed in range(100) for trial in deal(contents, PAIRS, seed=seed)]
    turned = sum(trial.order != trial.pair for trial in trials)
    assert 0.42 < turned / len(trials) < 0.58


def test_ids_are_never_the_same_and_tell_nothing(contents: Contents) -> None:
    ids = [trial.id for _ in range(2) for trial in deal(contents, PAIRS, seed=1)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("text", ["", "fine", "fine:", ":rough", "fine:fine", "fine:plain,"])
def test_what_is_no_list_of_pairs_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a pair is two names"):
        parse_pairs(text)


def test_pairs_are_read_as_they_are_written() -> None:
    assert parse_pairs("fine:plain, fine:rough") == PAIRS


def test_a_version_that_is_not_in_the_album_is_refused_by_name(contents: Contents) -> None:
    with pytest.raises(ListeningError, match="no version 'gold' in the album, but fine, plain, rough"):
        check_pairs([("fine", "gold")], contents)


def test_the_usual_pairs_are_of_versions_that_are_built() -> None:
    assert {name for pair in DEFAULT_PAIRS for name in pair} == {version.name for version in VERSIONS}
