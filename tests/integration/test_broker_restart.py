"""The broker is killed in mid-stream and started again: both ends come back by themselves and lose no count."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tests.integration.nano_path import FRAME_S, NanoRun, NanoStream, finish, processes, start_mosquitto
from tests.integration.watcher import Watcher

pytestmark = [pytest.mark.broker, pytest.mark.slow]

FRAMES_PER_PACKET = {"lan": 1, "wan": 5}
LINKS = tuple(FRAMES_PER_PACKET)
BEFORE_S = 2.4
OUTAGE_S = 2.0  # longer than lan's max_age_ms, and than wan's playout delay and one packet: both ends lose something
WHOLE_FRAMES = 25  # played one after the other, none missing: audio is back


@dataclass(frozen=True, slots=True)
class Outage:
    """One stream of each link over an outage of the broker, and the frames that passed the broker before it."""

    runs: Mapping[str, NanoRun]
    frames_before: Mapping[str, int]


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> Outage:
    folder = tmp_path_factory.mktemp("outage")
    with start_mosquitto(folder / "first") as broker, Watcher(broker.url) as watcher, processes() as start:
        streams = {link: NanoStream(link, start=start, watcher=watcher, broker=broker, folder=folder) for link in LINKS}
        players = [stream.start_player(metrics_s=0.25) for stream in streams.values()]
        for stream in streams.values():
            stream.wait_for_player()
        gateways = [stream.start_gateway("--loop", "--link", link) for link, stream in streams.items()]
        for link, stream in streams.items():
            watcher.wait_for_count(stream.tokens, round(BEFORE_S / FRAME_S / FRAMES_PER_PACKET[link]))
        broker.process.kill()
        broker.process.wait()
        frames_before = {link: watcher.count_frames(link) for link in LINKS}
        said_before = {link: watcher.count(stream.player_metrics) for link, stream in streams.items()}
        time.sleep(OUTAGE_S)  # the outage itself, not a wait for something
        with start_mosquitto(folder / "second", port=broker.port):
            for link, stream in streams.items():
                stream.wait_until_whole(WHOLE_FRAMES, after=said_before[link])
            for gateway in gateways:
                gateway.send_signal(signal.SIGTERM)
            for process in (*gateways, *players):
                finish(process)
            # collect() checks the identities of both ends
            return Outage({link: stream.collect() for link, stream in streams.items()}, frames_before)


@pytest.mark.parametrize("link", LINKS)
def test_both_ends_come_back_by_themselves_and_audio_resumes(outage: Outage, link: str) -> None:
    run = outage.runs[link]
    assert run.gateway["connects"] == run.player["connects"] == 2
    assert run.player["epochs"] == 1
    # The last packet before the end may have reached one subscriber and not the other.
    assert run.player["frames_played"] >= outage.frames_before[link] - FRAMES_PER_PACKET[link] + WHOLE_FRAMES


@pytest.mark.parametrize("link", LINKS)
def test_every_frame_of_an_outage_is_accounted_for_at_both_ends(outage: Outage, link: str) -> None:
    run = outage.runs[link]
    assert run.player["frames_due"] == run.gateway["frames_encoded"] + run.gateway["frames_gapped"]
    assert run.player["frames_due"] > run.player["frames_played"], "nothing was lost: was there an outage?"


def test_what_is_too_old_when_the_broker_is_back_is_dropped_and_counted(outage: Outage) -> None:
    assert outage.runs["lan"].gateway["frames_dropped"] > 0
