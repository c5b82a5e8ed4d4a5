"""deploy/mosquitto/bridge.conf between two Mosquittos: a stream in tiers, thinned for a remote site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.demo.broker import RunningBroker, find_mosquitto, start_broker
from protocol.manifest import decode_manifest
from tests.certificates import self_signed
from tests.deploy.site import SOURCE
from tests.integration.nano_path import NanoStream, finish, processes
from tests.integration.watcher import TOPICS, Watcher

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SAMPLE = SOURCE / "bridge.conf"
LOGIN = ("bridge", "a word for tests")
PLAYER = ("there", "another word")
SECONDS = 4


@contextmanager
def bridged(folder: Path, sample: str) -> Iterator[tuple[RunningBroker, RunningBroker]]:
    """The broker that has the streams, with the bridge `sample`, and the one at the remote site."""
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    remote_folder, conf_d = folder / "remote", folder / "conf.d"
    remote_folder.mkdir()
    conf_d.mkdir()
    files = self_signed(remote_folder, "127.0.0.1")
    settings = {"acl_file": str(write_rules(remote_folder, tier=0 if "/t0 out" in sample else 1))}
    with start_broker(
        remote_folder, prefer="mosquitto", users=dict([LOGIN, PLAYER]), tls=files, settings=settings
    ) as remote:
        (conf_d / "bridge.conf").write_text(placed(sample, remote, files.certificate))
        with start_broker(folder / "main", prefer="mosquitto", settings={"include_dir": str(conf_d)}) as main:
            yield main, remote


def write_rules(folder: Path, *, tier: int) -> Path:
    """For the bridge those of the page, with another tier where told so; for the player those of its role."""
    (bridge,) = re.findall(r"```\n(user bridge\n.*?)```", (SOURCE / "README.md").read_text(), flags=re.DOTALL)
    player = (SOURCE / "roles" / "player.acl").read_text().replace("@STREAM@", "+").replace("@NAME@", PLAYER[0])
    path = folder / "acl"
    bridge = bridge.replace("/t0", f"/t{tier}")
    path.write_text(f"{bridge}\nuser {PLAYER[0]}\n{player}")
    path.chmod(0o600)
    return path


def placed(sample: str, remote: RunningBroker, ca_file: Path) -> str:
    """The sample with the place, authority and login of the broker of this test."""
    wanted = {
        "address": f"{remote.host}:{remote.port}",
        "bridge_cafile": str(ca_file),
        "remote_username": LOGIN[0],
        "remote_password": LOGIN[1],
    }
    lines = [line.split(" ", 1) for line in sample.splitlines()]
    assert wanted.keys() <= {line[0] for line in lines}
    return "\n".join(" ".join([line[0], wanted.get(line[0], line[-1])]) for line in lines) + "\n"


@pytest.fixture
def sample() -> str:
    """Every line of it, comments left out."""
    return "\n".join(line for line in SAMPLE.read_text().splitlines() if line and not line.startswith("#"))


def logged_in(folder: Path, remote: RunningBroker) -> list[str]:
    """What a client says to be let in there."""
    password = folder / "player.password"
    password.write_text(PLAYER[1])
    ca_file = str(folder / "remote" / "broker.crt")
    return ["--username", PLAYER[0], "--password-file", str(password), "--cafile", ca_file]


def test_behind_the_bridge_a_stream_has_its_base_alone_and_every_frame_of_it(tmp_path: Path, sample: str) -> None:
    with (
        bridged(tmp_path, sample) as (main, remote),
        Watcher(main.url) as near,
        processes() as start,
    ):
        here = NanoStream("here", start=start, watcher=near, broker=main, folder=tmp_path)
        there = NanoStream("there", start=start, watcher=near, broker=remote, folder=tmp_path)
        # Both players play the stream of `here`; the one there says how it is by way of the bridge.
        players = [
            here.start_player(),
            there.start_player("--stream", "here", *logged_in(tmp_path, remote)),
        ]
        here.wait_for_player()
        there.wait_for_player()
        gateway = here.start_gateway(
            "--tiers", "4,12", "--link", "wan", "--for", f"{SECONDS}s", "--start-delay", "500ms"
        )
        for process in (gateway, *players):
            finish(process)
        near_run, far = here.collect(), there.stats("player")
        frames = near_run.gateway["frames_encoded"]
        assert near.count(TOPICS.tokens("here", 1)) == near.count(TOPICS.tokens("here", 0)) > 0
    assert near_run.player["frames_played"] == far["frames_played"] == frames
    assert (near_run.player["frames_thinned"], far["frames_thinned"]) == (0, frames)
    assert far["frames_concealed"] == far["frames_skipped"] == far["frames_comfort"] == far["underruns"] == 0
    assert far["wire_down_kbps"] < 0.7 * near_run.player["wire_down_kbps"]
    assert far["base_missing"] == 0


def test_a_bridge_without_the_base_is_said_with_its_reason_and_counted(tmp_path: Path, sample: str) -> None:
    wrong = sample.replace("s/+/t0 out", "s/+/t1 out")
    assert wrong != sample
    with bridged(tmp_path, wrong) as (main, remote), Watcher(main.url) as near, processes() as start:
        here = NanoStream("here", start=start, watcher=near, broker=main, folder=tmp_path)
        there = NanoStream("there", start=start, watcher=near, broker=remote, folder=tmp_path)
        player = there.start_player("--stream", "here", *logged_in(tmp_path, remote))
        there.wait_for_player()
        gateway = here.start_gateway("--tiers", "4,12", "--link", "lan", "--for", "8s", "--start-delay", "500ms")
        _, status = near.wait_for_status(
            there.player_status, lambda status: "never its base" in (status.reason or ""), "the reason"
        )
        assert status.state == "waiting"
        finish(gateway)
        finish(player)
        manifest = next(message for message in near.on(TOPICS.manifest("here")) if message.payload)
        assert status.epoch == decode_manifest(manifest.payload).epoch
        stats = there.stats("player")
    assert stats["base_missing"] == 1
    assert stats["frames_played"] == stats["frames_due"] == 0
    assert_identities_of_nothing(stats)


def assert_identities_of_nothing(stats: dict[str, object]) -> None:
    """Nothing was due, so nothing was lost."""
    assert [stats[name] for name in ("frames_concealed", "frames_skipped", "frames_comfort")] == [0, 0, 0]
