"""Trouble is said once an episode."""

from __future__ import annotations

from edge_player.intake.episode import Episode


def test_only_the_first_of_a_run_begins_an_episode() -> None:
    episode = Episode(calm_s=10.0)
    assert [episode.begins(at) for at in (0.0, 0.1, 5.0, 14.9)] == [True, False, False, False]


def test_after_a_calm_the_next_one_is_news_again() -> None:
    episode = Episode(calm_s=10.0)
    assert episode.begins(100.0)
    assert not episode.begins(109.9)
    assert episode.begins(119.9)
