"""The gateway is killed without a word and started again: a new epoch, which the player follows by itself."""

from __future__ import annotations

import signal

import pytest

from protocol.manifest import decode_manifest
from tests.integration.conftest import MakeStream
from tests.integration.nano_path import finish
from tests.integration.watcher import TOPICS, Watcher

pytestmark = [pytest.mark.broker, pytest.mark.slow]

PACKETS = 5


def test_a_gateway_that_is_killed_and_started_again_is_a_new_epoch_that_the_player_follows(
    make_stream: MakeStream, watcher: Watcher
) -> None:
    stream = make_stream("lobby")
    player = stream.start_player()
    stream.wait_for_player()
    first = stream.start_gateway("--loop")
    watcher.wait_for_count(stream.tokens, PACKETS)
    _, online = watcher.wait_for_status(stream.player_status, lambda status: status.state == "online", "online")
    first.kill()
    _, will = watcher.wait_for_status(stream.gateway_status, lambda status: status.state == "offline", "the will")
    assert (will.reason, will.epoch) == ("connection lost", online.epoch)
    _, waiting = watcher.wait_for_status(
        stream.player_status, lambda status: "offline" in (status.reason or ""), "that the gateway is gone"
    )
    assert (waiting.state, waiting.epoch) == ("waiting", online.epoch)
    sent_before = watcher.count(stream.tokens)

    second = stream.start_gateway("--loop")
    _, again = watcher.wait_for_status(
        stream.player_status, lambda status: status.state == "online" and status.epoch != online.epoch, "online again"
    )
    watcher.wait_for_count(stream.tokens, sent_before + PACKETS)
    second.send_signal(signal.SIGTERM)
    finish(second)
    finish(player)

    manifests = [message.payload for message in watcher.on(TOPICS.manifest("lobby")) if message.payload]
    assert list(dict.fromkeys(decode_manifest(payload).epoch for payload in manifests)) == [online.epoch, again.epoch]
    run = stream.collect()  # checks the identities of both ends
    assert run.player["epochs"] == run.player["decoder_resets"] == 2
    assert run.player["connects"] == 1
    assert run.player["frames_skipped"] == run.player["late"] == run.player["refused"] == 0
    # Whatever the broker passed on was played, of both epochs; what was missing in between was not made up for long.
    assert run.player["frames_played"] == watcher.count_frames("lobby") > run.gateway["frames_encoded"]
