"""A player that joins a running stream: how soon it is heard, primed and all, and whether it is whole from there on."""

from __future__ import annotations

import signal
import time

import pytest

from edge_player.render.playout import PRIME_FRAMES
from protocol.link import LINK_PROFILES
from tests.integration.conftest import MakeStream
from tests.integration.nano_path import assert_identities, finish
from tests.integration.watcher import Watcher

pytestmark = [pytest.mark.broker, pytest.mark.slow]

MARGIN_S = 1.0
HEARD_S = 2.0


@pytest.mark.parametrize("link", ["lan", "wan"])
def test_a_late_joiner_hears_its_first_sound_within_a_playout_delay_and_a_second(
    make_stream: MakeStream, watcher: Watcher, link: str
) -> None:
    """From the moment the broker shows the player's first status, which follows its subscriptions on one connection.

    Both ends of that time are on one clock: the player counts `first_sound_ms` from the start of its process, the
    watcher notes when the status came.
    """
    profile = LINK_PROFILES[link]
    playout_s, packet_s = profile.playout_delay_ms / 1000, profile.frames_per_packet * 0.08
    stream = make_stream("late")
    gateway = stream.start_gateway("--loop", "--link", link)
    watcher.wait_for_count(stream.tokens, 3)
    launched_at = time.monotonic()
    player = stream.start_player()
    subscribed, _ = watcher.wait_for_status(stream.player_status, lambda status: True, "the player's first status")
    enough = watcher.count(stream.tokens) + round((playout_s + MARGIN_S + HEARD_S) / packet_s)
    watcher.wait_for_count(stream.tokens, enough)
    gateway.send_signal(signal.SIGTERM)
    finish(gateway)
    finish(player)
    run = stream.collect()
    assert_identities(run)
    first_sound_s = launched_at + run.player["first_sound_ms"] / 1000 - subscribed.received_at
    assert 0 < first_sound_s <= playout_s + MARGIN_S
    assert run.player["frames_concealed"] == run.player["frames_skipped"] == 0
    assert run.player["frames_comfort"] == run.player["frames_primed"] == PRIME_FRAMES
    assert run.player["frames_played"] == run.player["frames_due"] - PRIME_FRAMES >= HEARD_S / 0.08
    assert run.player["frames_due"] < run.gateway["frames_encoded"], "it was there from the start"
