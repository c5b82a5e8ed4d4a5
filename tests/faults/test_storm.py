from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.storm import LIMIT_S, Storm, raise_storm

FEW = 40


@pytest.mark.broker
@pytest.mark.slow
def test_players_whose_broker_died_are_all_back_in_time(tmp_path: Path) -> None:
    """The short form: `make storm` raises one of five hundred."""
    storm = raise_storm(tmp_path, players=FEW, away_s=1.0)
    assert storm.kept, storm.sentence
    assert storm.connects == 2 * FEW


def test_a_storm_is_not_weathered_when_one_player_is_missing_or_late() -> None:
    assert Storm(2, (1.0, LIMIT_S), 4).kept
    assert not Storm(2, (1.0,), 3).kept
    assert not Storm(2, (1.0, LIMIT_S + 0.1), 4).kept
    assert not Storm(2, (), 2).kept


def test_the_figures_are_one_line() -> None:
    assert Storm(3, (1.0, 2.0, 2.5), 7).sentence == (
        "storm: 3 of 3 players back, half after 2.0 s, 99 % after 2.5 s, the last after 2.5 s (limit 15 s); "
        "7 connections in all"
    )
    assert "0 of 2" in Storm(2, (), 2).sentence
