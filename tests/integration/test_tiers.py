"""A stream in tiers over brokers and links that are real: who gets what, and what a link that is too thin costs."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.broker import start_broker
from protocol.status import decode_status
from tests.integration.nano_path import (
    NanoStream,
    Start,
    assert_every_frame_was_played,
    assert_identities,
    finish,
    start_mosquitto,
)
from tests.integration.slow_link import SlowLink
from tests.integration.watcher import TOPICS, Watcher
from tests.relay import Hold

pytestmark = [pytest.mark.broker, pytest.mark.slow]

TIERS = ("--tiers", "4,12")
THIN_DOWN = 280.0
"""Bytes a second towards a player: the base of a `wan` stream takes 150 of them, both tiers 440."""
THIN_UP = 300.0
"""And from a gateway."""
PAUSE_S = 12.0


class Behind:
    """Where a stream's end finds its broker: through a link."""

    def __init__(self, link: SlowLink) -> None:
        self.url = link.url


class SlowUplink(SlowLink):
    """The same from the client to the broker."""

    def pace(self, *, down: bool) -> Hold:
        return super().pace(down=not down)


def test_a_player_of_four_layers_is_sent_nothing_of_the_others(tmp_path: Path, start: Start) -> None:
    """By the broker's own log of what it sends to whom."""
    start_mosquitto(tmp_path / "skips-where-there-is-none").stop()
    settings = {"log_type": "all"}
    with (
        start_broker(tmp_path / "broker", prefer="mosquitto", settings=settings) as broker,
        Watcher(broker.url) as watcher,
    ):
        streams = {
            name: NanoStream(name, start=start, watcher=watcher, broker=broker, folder=tmp_path)
            for name in ("sent", "few")
        }
        players = [streams["sent"].start_player(), streams["few"].start_player("--stream", "sent", "--layers", "4")]
        for stream in streams.values():
            stream.wait_for_player()
        gateway = streams["sent"].start_gateway(*TIERS, "--link", "lan", "--for", "3s", "--start-delay", "500ms")
        for process in (gateway, *players):
            finish(process)
        sent = re.findall(r"Sending PUBLISH to (vw-edge-\w+) .*'vw/v1/s/sent/(t\d)'", broker.log_path.read_text())
        run, few = streams["sent"].collect(), streams["few"].stats("player")
    frames = run.gateway["frames_encoded"]
    counts = {pair: sent.count(pair) for pair in sorted(set(sent))}
    assert counts == {
        ("vw-edge-few", "t0"): frames, ("vw-edge-sent", "t0"): frames, ("vw-edge-sent", "t1"): frames,
    }  # fmt: skip
    assert_every_frame_was_played(run)
    assert run.player["frames_thinned"] == few["frames_thinned"] == few["layers_short"] == 0
    assert few["frames_played"] == frames
    assert (run.gateway["packets_published"], run.gateway["tier_packets_published"]) == (2 * frames, frames)


def test_each_tier_is_entropy_coded_by_itself_and_read_by_those_who_lack_the_others(
    tmp_path: Path, start: Start, watcher: Watcher, mosquitto: Any
) -> None:
    names = ("sent", "few")
    sent, few = (NanoStream(name, start=start, watcher=watcher, broker=mosquitto, folder=tmp_path) for name in names)
    players = [sent.start_player(), few.start_player("--stream", "sent", "--layers", "4")]
    for stream in (sent, few):
        stream.wait_for_player()
    options = ("--link", "narrow", "--entropy", "on", "--upper-qos", "0", "--for", "4s", "--start-delay", "500ms")
    for process in (sent.start_gateway(*TIERS, *options), *players):
        finish(process)
    run, few_stats = sent.collect(), few.stats("player")
    assert run.gateway["entropy_bytes_saved"] > 0
    assert_every_frame_was_played(run)
    assert run.player["frames_thinned"] == run.player["packets_bad"] == few_stats["packets_bad"] == 0
    assert few_stats["frames_played"] == run.gateway["frames_encoded"]


def test_a_player_that_chooses_leaves_a_tier_on_a_thin_link_and_takes_it_back(
    tmp_path: Path, start: Start, watcher: Watcher, mosquitto: Any
) -> None:
    """All that is heard from the change on is whole, and the tier comes back within a pause that is shortened here."""
    sent = NanoStream("sent", start=start, watcher=watcher, broker=mosquitto, folder=tmp_path)
    with SlowLink(mosquitto.url) as link:
        thin = NanoStream("thin", start=start, watcher=watcher, broker=Behind(link), folder=tmp_path)  # type: ignore[arg-type]
        prelude = f"import edge_player.intake.tier_choice as choice; choice.FIRST_PAUSE_S = {PAUSE_S}"
        player = thin.start_player("--stream", "sent", "--layers", "auto", metrics_s=0.5, prelude=prelude)
        thin.wait_for_player()
        gateway = sent.start_gateway(*TIERS, "--link", "wan", "--loop", "--start-delay", "500ms")
        watcher.wait_for_count(sent.tokens, 6)

        def wait_for_tiers(count: int) -> int:
            def followed() -> bool:
                said = watcher.on(thin.player_metrics)
                return bool(said) and decode_status(said[-1].payload).stats["tiers_followed"] == count

            watcher.wait_until(followed, f"{count} tiers")
            return watcher.count(thin.player_metrics)

        wait_for_tiers(2)
        link.rate = THIN_DOWN
        after = wait_for_tiers(1)
        thin.wait_until_whole(100, after=after)
        link.rate = None
        after = wait_for_tiers(2)
        thin.wait_until_whole(100, after=after)
        gateway.send_signal(signal.SIGTERM)
        finish(gateway)
        finish(player)
        stats = thin.stats("player")
    assert stats["tier_steps_down"] >= 1
    assert stats["tier_steps_up"] >= 1
    assert stats["frames_due"] == sum(stats[f"frames_{part}"] for part in ("played", "concealed", "skipped", "comfort"))
    assert stats["frames_played"] > 0.8 * stats["frames_due"]
    assert stats["base_missing"] == 0


@pytest.mark.parametrize("qos", [(), ("--upper-qos", "0")], ids=["all acknowledged", "the base acknowledged"])
def test_a_thin_uplink_costs_upper_tiers_and_not_one_frame_of_the_base(
    qos: tuple[str, ...], tmp_path: Path, start: Start, watcher: Watcher, mosquitto: Any
) -> None:
    heard = NanoStream("sent", start=start, watcher=watcher, broker=mosquitto, folder=tmp_path)
    with SlowUplink(mosquitto.url) as link:
        sent = NanoStream("sent", start=start, watcher=watcher, broker=Behind(link), folder=tmp_path)  # type: ignore[arg-type]
        player = heard.start_player()
        heard.wait_for_player()
        gateway = sent.start_gateway(*TIERS, *qos, "--link", "wan", "--loop", "--for", "18s", "--start-delay", "500ms")
        watcher.wait_for_count(heard.tokens, 4)
        link.rate = THIN_UP
        finish(gateway)
        finish(player)
        run = heard.collect()
    assert_identities(run)
    sender, player_stats = run.gateway, run.player
    assert sender["frames_published"] == sender["frames_encoded"] >= 224
    assert sender["frames_dropped"] == 0
    packets = watcher.count(heard.tokens)
    assert sender["tier_packets_published"] + sender["tier_packets_dropped"] == packets
    assert sender["packets_published"] + sender["packets_dropped"] == 2 * packets
    assert sender["packets_dropped"] == sender["tier_packets_dropped"] > 0
    assert watcher.count(TOPICS.tokens("sent", 1)) <= sender["tier_packets_published"]
    assert player_stats["frames_due"] == sender["frames_encoded"]
    assert player_stats["frames_thinned"] > 0
    assert player_stats["frames_played"] > 0.85 * player_stats["frames_due"]
