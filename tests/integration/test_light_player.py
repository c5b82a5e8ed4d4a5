"""What a player needs of its machine: no torch, and little memory."""

from __future__ import annotations

import pytest

from tests.integration.nano_path import NanoRun

pytestmark = [pytest.mark.broker, pytest.mark.slow]

MAX_RSS_BYTES = 200_000_000


def test_nano_plays_where_torch_cannot_be_imported(lan_run: NanoRun) -> None:
    assert lan_run.player["codec"].startswith("nano")
    assert lan_run.player["frames_played"] == lan_run.gateway["frames_encoded"] > 0


def test_the_resident_memory_of_a_player_stays_within_200_mb(lan_run: NanoRun) -> None:
    assert 0 < lan_run.player["rss_bytes"] <= lan_run.player["rss_peak_bytes"] <= MAX_RSS_BYTES
